"""Read JSON as strictly as Postgres keeps it: what is let in here can be stored, hashed and sent on.

The good path is the standard library's scanner with four hooks. Only a body that is wrong, or might be, is looked at
twice: the second look finds the path to the defect.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from shared.errors import Refused

MAX_BYTES = 262_144
MAX_DEPTH = 64
_MAX_PATH = 200
_MAX_KEY = 64
_LONGEST_INTEGER = len(str(-(2**63)))

_DOUBTFUL_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")

NESTED_TOO_DEEPLY = f"Nested more than {MAX_DEPTH} levels deep."


class Defect(Exception):
    """A value that is JSON, and still refused. Stands in the value's place while its path is looked for."""

    def __init__(self, detail: str, key: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.key = key


def parse(body: bytes, max_bytes: int = MAX_BYTES, *, at: str = "") -> Any:
    """Read one JSON document; `at` is what its place is called in a refusal.

    Raises:
        Refused: 413, it is too large; 400, it is not UTF-8, not JSON, or holds what cannot be kept. `field` is the
            path to the defect where there is one, else `at` or "body".
    """
    value, is_clean = _decode(body, max_bytes, at)
    if not is_clean and (refused := _first_defect(value, at)):
        raise refused
    return value


def parse_array(body: bytes, max_bytes: int = MAX_BYTES) -> list[Any | Refused]:
    """Read a JSON array; an element with a defect comes back as its refusal and does not harm the others.

    Raises:
        Refused: the array itself cannot be read, or is none.
    """
    value, is_clean = _decode(body, max_bytes, "")
    if not isinstance(value, list):
        raise (_first_defect(value, "") or Refused(400, "Not an array", "The body must be a JSON array.", field="body"))
    if is_clean:
        return value
    return [_first_defect(element, "") or element for element in value]


def _decode(body: bytes, max_bytes: int, at: str) -> tuple[Any, bool]:
    """Read a value, and tell whether it is certainly free of defects."""
    if len(body) > max_bytes:
        raise too_large(max_bytes)
    text = _text(body, at)
    try:
        value, is_clean = _scan(text)
    except json.JSONDecodeError as broken:
        where = f"line {broken.lineno}, column {broken.colno}"
        raise Refused(400, "Malformed JSON", f"{broken.msg}: {where}.", field=at or "body") from None
    except RecursionError:
        raise Refused(400, "Unacceptable JSON", NESTED_TOO_DEEPLY, field=at or "body") from None
    if b"\\u" in body and _DOUBTFUL_ESCAPE.search(body):
        is_clean = False
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_deep(value):
        is_clean = False
    return value, is_clean


def _scan(text: str) -> tuple[Any, bool]:
    try:
        return _STRICT.decode(text), True
    except Defect:
        return _MARKING.decode(text), False


def too_large(max_bytes: int) -> Refused:
    """Refuse a body for its size."""
    return Refused(413, "Body too large", f"The body may have {max_bytes} bytes at most.", field="body")


def _text(body: bytes, at: str) -> str:
    if body.startswith(b"\xef\xbb\xbf"):
        raise Refused(400, "Malformed JSON", "It begins with a byte order mark.", field=at or "body")
    try:
        return body.decode()
    except UnicodeDecodeError as broken:
        raise Refused(400, "Not UTF-8", f"Byte {broken.start + 1} is not UTF-8.", field=at or "body") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    seen: set[str] = set()
    key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    raise Defect("This key occurs twice.", key)


def _integer(digits: str) -> int:
    if len(digits) <= _LONGEST_INTEGER and -(2**63) <= (number := int(digits)) < 2**63:
        return number
    raise Defect("This integer does not fit into 64 bits.")


def _float(digits: str) -> float:
    if math.isinf(number := float(digits)):
        raise Defect("This number is too large.")
    return number


def _constant(_name: str) -> Any:
    raise Defect("NaN and Infinity are not JSON.")


def _marking(hook: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let a hook leave its defect in place, so that the way to it can be walked."""

    def marked(raw: Any) -> Any:
        try:
            return hook(raw)
        except Defect as defect:
            return defect

    return marked


_STRICT = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)
_MARKING = json.JSONDecoder(
    object_pairs_hook=_marking(_object),
    parse_int=_marking(_integer),
    parse_float=_marking(_float),
    parse_constant=_marking(_constant),
)


def _is_deep(value: Any) -> bool:
    """Tell whether a value is nested too deeply, level by level."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def _first_defect(value: Any, at: str) -> Refused | None:
    path: list[str | int] = []
    try:
        _inspect(value, path)
    except Defect as defect:
        return Refused(400, "Unacceptable JSON", defect.detail, field=spell(path, at) or "body")
    return None


def _inspect(value: Any, path: list[str | int]) -> None:
    """Raise the first defect; `path` then leads to it. Recursion ends at the depth that is refused."""
    if isinstance(value, Defect):
        path.extend([] if value.key is None else [value.key])
        raise Defect(value.detail)
    if isinstance(value, str):
        _check_storable(value)
        return
    if not isinstance(value, (dict, list)):
        return
    if len(path) >= MAX_DEPTH:
        raise Defect(NESTED_TOO_DEEPLY)
    for key, child in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(key, str):
            _check_storable(key)
        path.append(key)
        _inspect(child, path)
        path.pop()


def _check_storable(text: str) -> None:
    if _UNSTORABLE.search(text):  # Postgres refuses both
        raise Defect("A string or key holds \\u0000 or a lone surrogate.")


def spell(path: list[str | int] | tuple[str | int, ...], at: str = "") -> str:
    """Write a path as people read it: `data.items[3].name`. What cannot be printed is a question mark."""
    spelled = at
    for step in path:
        if isinstance(step, int):
            spelled += f"[{step}]"
            continue
        name = step if step.isprintable() else "?"
        spelled += f".{name[:_MAX_KEY]}" if spelled else name[:_MAX_KEY]
    return spelled[:_MAX_PATH]
