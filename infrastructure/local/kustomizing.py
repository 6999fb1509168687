"""Build an overlay as kustomize does, with as much of it as ours use: nobody needs kustomize to run one here.

What only a container needs is left as it is: its image, and the ConfigMaps and Secrets that kustomize makes. Whatever
else is not known here is refused rather than left out. A test holds the outcome against kustomize's own.
"""

from __future__ import annotations

import copy
import logging
import re
from pathlib import Path
from typing import Any

import yaml

from infrastructure.local.json_patch import PatchUnfit, merged, patched
from infrastructure.local.manifest import Manifest, ManifestInvalid

log = logging.getLogger("carillon.local.kustomizing")

QUICK = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Ten times as fast, where PyYAML was built with libyaml: an overlay has three thousand lines."""

FILE = "kustomization.yaml"
APPLIED = frozenset({"resources", "components", "patches"})
FOR_CONTAINERS = frozenset({"images", "configurations", "configMapGenerator", "secretGenerator", "generatorOptions"})
KNOWN = APPLIED | FOR_CONTAINERS | {"apiVersion", "kind"}
SELECTED_BY = ("group", "version", "kind", "name", "namespace")


def is_overlay(folder: Path) -> bool:
    """Tell whether a folder is put together from others, rather than one with Services of its own."""
    return (folder / FILE).is_file() and not (folder / "services").is_dir()


def build(folder: Path) -> list[Manifest]:
    """Read everything that a folder's kustomization names, patched. Each object knows the file that it came from.

    A file that is listed and not there is left out, with a warning: what has no file does not run.

    Raises:
        ManifestInvalid: something is not there, not known here, or does not fit.
    """
    return _added_to([], folder)


def documents(path: Path) -> list[Manifest]:
    """Read the objects of a file.

    Raises:
        ManifestInvalid: it cannot be read, or holds something else.
    """
    try:
        found = list(yaml.load_all(path.read_text(encoding="utf-8"), Loader=QUICK))
    except (OSError, yaml.YAMLError) as broken:
        raise ManifestInvalid(path, f"cannot be read: {broken}") from None
    return [Manifest(path, document) for document in found]


def _added_to(objects: list[Manifest], folder: Path) -> list[Manifest]:
    """Add what a kustomization names; a component's patches are for all that was there before, too."""
    (kustomization,) = documents(folder / FILE)
    if unknown := sorted(set(kustomization.document) - KNOWN):
        raise kustomization.invalid(f"the local runtime does not know {', '.join(unknown)}")
    for entry in kustomization.get("resources", list, []):
        objects = [*objects, *_resource(folder / str(entry))]
    for entry in kustomization.get("components", list, []):
        objects = _added_to(objects, folder / str(entry))
    for entry in kustomization.get("patches", list, []):
        objects = _patched(objects, Manifest(kustomization.path, entry))
    return objects


def _resource(path: Path) -> list[Manifest]:
    if path.suffix not in {".yaml", ".yml"}:
        return build(path.resolve())
    if not path.exists():
        log.warning("a file that a kustomization lists is not there", extra={"place": path.name})
        return []
    return documents(path)


def _patched(objects: list[Manifest], entry: Manifest) -> list[Manifest]:
    patch = _patch(entry)
    selector = entry.get("target", dict, None) or _own_selector(entry, patch)
    if unknown := sorted(set(selector) - set(SELECTED_BY)):
        raise entry.invalid(f"the local runtime selects nothing by {', '.join(unknown)}")
    changed = [_changed(one, patch, entry) if _is_selected(one, selector) else one for one in objects]
    return [one for one in changed if one is not None]


def _patch(entry: Manifest) -> Any:
    """Read a patch, which stands in its entry or in a file of its own."""
    if file := entry.get("path", str, ""):
        (found,) = documents(entry.path.parent / file)
        return found.document
    try:
        return yaml.safe_load(entry.get("patch", str))
    except yaml.YAMLError as broken:
        raise entry.invalid(f"a patch cannot be read: {broken}") from None


def _own_selector(entry: Manifest, patch: Any) -> dict[str, str]:
    """Select what a patch without a target is for: the object of its own kind and name."""
    own = Manifest(entry.path, patch)
    return {"group": own.group, "kind": own.get("kind", str), "name": own.get("metadata.name", str)}


def _is_selected(one: Manifest, selector: dict[str, Any]) -> bool:
    metadata = one.get("metadata", dict)
    facts = {
        "group": one.group,
        "version": str(one.get("apiVersion", str)).rpartition("/")[2],
        "kind": one.kind,
        "name": metadata.get("name", ""),
        "namespace": metadata.get("namespace", ""),
    }
    return all(re.fullmatch(str(wanted), str(facts[name])) for name, wanted in selector.items())


def _changed(one: Manifest, patch: Any, entry: Manifest) -> Manifest | None:
    if isinstance(patch, list):
        try:
            return Manifest(one.path, patched(copy.deepcopy(one.document), copy.deepcopy(patch)))
        except PatchUnfit as unfit:
            raise entry.invalid(f"a patch does not fit {one.kind} {one.get('metadata.name', str)}: {unfit}") from None
    if isinstance(patch, dict) and patch.get("$patch") == "delete":
        return None
    if not isinstance(patch, dict) or "." not in one.group or one.group.endswith(".k8s.io"):
        raise entry.invalid(f"the local runtime does not know how kustomize merges into {one.kind}")
    own = {
        "apiVersion": one.document["apiVersion"],
        "kind": one.kind,
        "metadata": {"name": one.get("metadata.name", str)},
    }
    return Manifest(one.path, merged(merged(one.document, patch), own))
