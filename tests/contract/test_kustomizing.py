"""What the local runtime makes of an overlay is what kustomize makes of it."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from infrastructure.local.kustomizing import build
from infrastructure.rabbitmq.generate import ROOT
from tests.contract.rendering import OVERLAYS, Object, render

MADE_BY_KUSTOMIZE = {"ConfigMap", "Secret"}
SUM = re.compile(r"-[0-9a-z]{10}$")


def by_name(objects: list[Object]) -> dict[tuple[str, ...], Object]:
    """Sort objects, without what only a container needs: its image, and the sum behind a ConfigMap's name."""
    return {
        (one["apiVersion"], one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): _bare(one)
        for one in objects
        if one["kind"] not in MADE_BY_KUSTOMIZE
    }


def _bare(one: Object) -> Object:
    one = copy.deepcopy(one)
    spec: Any = one.get("spec", {}).get("template", {}).get("spec", {})
    for container in spec.get("containers", []):
        del container["image"]
        for reference in container.get("envFrom", []):
            reference["configMapRef"]["name"] = SUM.sub("", reference["configMapRef"]["name"])
    return one


@pytest.mark.kustomize
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_put_together_as_kustomize_does_it(overlay: str) -> None:
    ours = by_name([one.document for one in build(ROOT / overlay)])
    theirs = by_name(list(render(ROOT / overlay)))

    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []
