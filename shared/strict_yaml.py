"""Read YAML as people write settings: plain values, no tags, no aliases, no key twice; and remember every line.

A word without quotes is null, true, false or a number only where JSON has that word too (YAML 1.2's core): `no` stays
"no", and `10:30` is a time of day, not the number 630. JSON is YAML, so it is read as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from shared.errors import Permanent
from shared.strict_json import spell

MAX_BYTES = 262_144
MAX_DEPTH = 16

Path = tuple[str | int, ...]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, where the wheel has it: twenty times faster
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_NOT_PLAIN = frozenset({"'", '"', "|", ">"})
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,17})?([eE][-+]?\d{1,2})?")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


class YamlMalformed(Permanent):
    """It is no YAML, or more than is read here. Names the line."""

    def __init__(self, why: str, line: int | None) -> None:
        super().__init__(f"line {line}: {why}" if line else why)
        self.why = why
        self.line = line


@dataclass(frozen=True, slots=True)
class Marked:
    """A value, and the line on which each of its parts stands, by its path."""

    value: Any
    lines: dict[Path, int] = field(repr=False)

    def line_of(self, path: Path) -> int:
        """Find the line of a part; of what is not there, that of the nearest part around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def parse(text: str) -> Marked:
    """Read one document.

    Raises:
        YamlMalformed: with the line.
    """
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise YamlMalformed(f"it has more than {MAX_BYTES} bytes", None)
    try:
        _refuse_what_grows(text)
        node = yaml.compose(text, _LOADER)
    except yaml.MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        raise YamlMalformed(broken.problem or "it is no YAML", mark.line + 1 if mark else None) from None
    except yaml.YAMLError:
        raise YamlMalformed("it holds characters that YAML does not allow", None) from None
    lines: dict[Path, int] = {}
    return Marked(_value(node, (), lines) if node else None, lines)


def _refuse_what_grows(text: str) -> None:
    """Look at the events, of which there is one a line, before anything is built of them."""
    depth = 0
    for event in _events(text):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise YamlMalformed("anchors and aliases are not read here", event.start_mark.line + 1)
        if getattr(event, "tag", None):
            raise YamlMalformed("tags are not read here", event.start_mark.line + 1)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise YamlMalformed(f"it is nested more than {MAX_DEPTH} levels deep", event.start_mark.line + 1)


def _events(text: str) -> Iterator[Any]:
    return iter(yaml.parse(text, _LOADER))


def _value(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_value(one, (*path, place), lines) for place, one in enumerate(node.value)]
    return _scalar(node)


def _mapping(node: yaml.MappingNode, path: Path, lines: dict[Path, int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise YamlMalformed("a key is a word", line)
        name = _stored(key.value, line)
        if name in found:
            raise YamlMalformed(f"the key {spell((name,))!r} occurs twice", line)
        found[name] = _value(value, (*path, name), lines)
        lines[(*path, name)] = line
    return found


def _scalar(node: Any) -> Any:
    text, line = _stored(node.value, node.start_mark.line + 1), node.start_mark.line + 1
    if node.style in _NOT_PLAIN:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    if text.lower() in (".inf", "-.inf", "+.inf", ".nan"):
        raise YamlMalformed("infinite is no number here", line)
    return text


def _stored(text: str, line: int) -> str:
    if _UNSTORABLE.search(text):
        raise YamlMalformed("a text holds \\0 or half a character", line)
    return text
