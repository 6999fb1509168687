"""Change a document as a patch says: RFC 6902 (a list of operations), or RFC 7386 (what is to be merged into it)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class PatchUnfit(Exception):
    """A patch that does not fit its document. Says which part of it."""


def patched(document: Any, operations: Sequence[Any]) -> Any:
    """Apply operations one after the other, in place; return the document.

    Raises:
        PatchUnfit: there is nothing at a path, a test does not hold, or an operation is none of add, remove, replace
            and test.
    """
    for operation in operations:
        if not isinstance(operation, dict) or operation.get("op") not in OPERATIONS:
            raise PatchUnfit(f"{operation!r} is none of {', '.join(OPERATIONS)}")
        path = operation.get("path")
        if not isinstance(path, str) or not path.startswith("/"):
            raise PatchUnfit(f"{path!r} is no path of a field")
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
        place = document
        for part in way:
            place = _at(place, part, path)
        OPERATIONS[operation["op"]](place, last, operation.get("value"), path)
    return document


def merged(document: Any, patch: Any) -> Any:
    """Merge a patch: objects field by field, null takes away, everything else takes the place of what was there."""
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _at(place: Any, part: str, path: str) -> Any:
    try:
        return place[part] if isinstance(place, dict) else place[_index(place, part)]
    except (KeyError, IndexError, ValueError, TypeError):
        raise PatchUnfit(f"there is nothing at {path}") from None


def _index(place: Any, part: str) -> int:
    if not (isinstance(place, list) and part.isascii() and part.isdigit()):
        raise ValueError(part)
    return int(part)


def _add(place: Any, last: str, value: Any, path: str) -> None:
    if isinstance(place, dict):
        place[last] = value
        return
    try:
        index = len(place) if last == "-" else _index(place, last)
    except (ValueError, TypeError):
        raise PatchUnfit(f"there is no list at {path}") from None
    if index > len(place):
        raise PatchUnfit(f"the list at {path} is shorter")
    place.insert(index, value)


def _remove(place: Any, last: str, value: Any, path: str) -> None:
    _at(place, last, path)
    del place[last if isinstance(place, dict) else int(last)]


def _replace(place: Any, last: str, value: Any, path: str) -> None:
    _at(place, last, path)
    place[last if isinstance(place, dict) else int(last)] = value


def _test(place: Any, last: str, value: Any, path: str) -> None:
    if (found := _at(place, last, path)) != value:
        raise PatchUnfit(f"{path} is {found!r}, not {value!r}")


OPERATIONS: dict[str, Callable[[Any, str, Any, str], None]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "test": _test,
}
