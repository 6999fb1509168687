"""What kustomize makes of the overlays, and which schemas are here to hold it against."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from infrastructure.local.kustomizing import QUICK
from infrastructure.rabbitmq.generate import ROOT
from tests.contract import crd_schema

Object = dict[str, Any]

KNATIVE = ROOT / "knative"
OVERLAYS = sorted(path.parent.relative_to(ROOT).as_posix() for path in KNATIVE.glob("overlays/*/kustomization.yaml"))


def missing_kustomize() -> str | None:
    """Say why overlays cannot be rendered here, or None."""
    return None if _program() else "install kubectl, or kustomize"


def missing_schemas() -> str | None:
    """Say why there are no schemas here, or None."""
    folder = os.environ.get("CRDS", "")
    return None if folder and Path(folder).is_dir() else "set CRDS to a folder of CustomResourceDefinitions"


@cache
def schemas() -> Mapping[crd_schema.Kind, crd_schema.Schema]:
    """Read the schemas in the folder that CRDS names."""
    return crd_schema.load(Path(os.environ["CRDS"]))


def _program() -> list[str] | None:
    if kubectl := shutil.which("kubectl"):
        return [kubectl, "kustomize"]
    kustomize = shutil.which("kustomize")
    return [kustomize, "build"] if kustomize else None


@cache
def render(folder: Path) -> tuple[Object, ...]:
    """Render a folder as `kubectl apply -k` does."""
    program = _program()
    assert program is not None
    done = subprocess.run([*program, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.load_all(done.stdout, Loader=QUICK))


@cache
def documents(folder: Path) -> list[tuple[str, Object]]:
    """Read every object in the files of a folder, with the file's name; kustomize's own kinds are left out."""
    return [
        (path.relative_to(ROOT).as_posix(), document)
        for path in sorted(folder.rglob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
        if document and "kustomize.config.k8s.io" not in document.get("apiVersion", "kustomize.config.k8s.io")
    ]


def kind(document: Object) -> crd_schema.Kind:
    """Name an object's kind."""
    return document["apiVersion"], document["kind"]


def name(document: Object) -> str:
    """Name an object for a message."""
    return f"{document['kind']} {document['metadata']['name']}"
