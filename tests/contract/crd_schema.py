"""What the API server says of a custom resource: its structural schema, and every field that it would prune."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from infrastructure.local.kustomizing import QUICK

Schema = Mapping[str, Any]
Kind = tuple[str, str]
"""apiVersion and kind."""

KINDS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}

OF_EVERY_OBJECT = ("apiVersion", "kind", "metadata")


def load(folder: Path) -> dict[Kind, Schema]:
    """Read the CustomResourceDefinitions in a folder."""
    found: dict[Kind, Schema] = {}
    for path in sorted(folder.glob("*.yaml")):
        for document in yaml.load_all(path.read_text(), Loader=QUICK):
            if not document or document.get("kind") != "CustomResourceDefinition":
                continue
            spec = document["spec"]
            for version in spec["versions"]:
                key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
                found[key] = version["schema"]["openAPIV3Schema"]
    return found


def flaws(document: Mapping[str, Any], schema: Schema) -> list[str]:
    """List what is wrong with an object, and what would silently be lost of it."""
    properties = {name: inner for name, inner in schema["properties"].items() if name not in OF_EVERY_OBJECT}
    own = {name: value for name, value in document.items() if name not in OF_EVERY_OBJECT}
    return list(_flaws(own, {**schema, "properties": properties}, ""))


def _flaws(value: Any, schema: Schema, place: str) -> Iterator[str]:
    if value is None:
        if not schema.get("nullable"):
            yield f"{place} is null, so it is dropped"
        return
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, int | str):
            yield f"{place} is neither an integer nor a string"
        return
    wanted = schema.get("type")
    if wanted in KINDS and not KINDS[wanted](value):
        yield f"{place} is {value!r}, and no {wanted}"
        return
    yield from _outside(value, schema, place)
    if isinstance(value, dict):
        yield from _of_object(value, schema, place)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _flaws(item, schema.get("items", {}), f"{place}[{number}]")


def _outside(value: Any, schema: Schema, place: str) -> Iterator[str]:
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place} is {value!r}, none of {schema['enum']}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        if not low <= value <= high:
            yield f"{place} is {value}, not {low} to {high}"
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{place} is {value!r}, which does not match {schema['pattern']}"
        yield from _size(len(value), schema, "Length", place)
    if isinstance(value, list):
        yield from _size(len(value), schema, "Items", place)


def _size(size: int, schema: Schema, what: str, place: str) -> Iterator[str]:
    low, high = schema.get(f"min{what}", size), schema.get(f"max{what}", size)
    if not low <= size <= high:
        yield f"{place} has {size} where {low} to {high} may be"


def _of_object(value: Mapping[str, Any], schema: Schema, place: str) -> Iterator[str]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    keeps_all = others is True or schema.get("x-kubernetes-preserve-unknown-fields")
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{place}.{name} is missing"
    for name, inner in value.items():
        if name in properties:
            yield from _flaws(inner, properties[name], f"{place}.{name}")
        elif isinstance(others, dict):
            yield from _flaws(inner, others, f"{place}.{name}")
        elif not keeps_all:
            yield f"{place}.{name} is no field, so it is pruned"
