"""One Kubernetes object, read field by field."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from shared.errors import Permanent


class ManifestInvalid(Permanent):
    """A manifest says what cannot be. Names the file."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")


class Manifest:
    """One document of one file, and a way to read its fields that names the file when one is wrong."""

    def __init__(self, path: Path, document: Any) -> None:
        if not isinstance(document, dict):
            raise ManifestInvalid(path, "is no Kubernetes object")
        self.path = path
        self.document = document
        self.kind = document.get("kind")
        self.group = str(document.get("apiVersion", "")).rpartition("/")[0]

    def get(self, place: str, kind: type, default: Any = ...) -> Any:
        """Return the field at a dotted place; without a default it must be there."""
        value: Any = self.document
        for part in place.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None and default is not ...:
            return default
        if value is None:
            raise self.invalid(f"{place} is missing")
        if type(value) is not kind:  # a YAML boolean is an int to isinstance
            raise self.invalid(f"{place} is {value!r}")
        return value

    def invalid(self, why: str) -> ManifestInvalid:
        """Name the file in an error."""
        return ManifestInvalid(self.path, why)

    def service(self, place: str, services: Collection[str]) -> str:
        """Return the Service that a field such as `spec.sink` refers to."""
        name: str = self.get(f"{place}.ref.name", str)
        if name not in services:
            raise self.invalid(f"{place}.ref names {name}, which has no Service")
        return name
