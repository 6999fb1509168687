"""What a template works with: the values that JSON has, and nothing that can be called."""

from __future__ import annotations

from json.encoder import encode_basestring
from typing import Any

from jinja2 import StrictUndefined, Undefined
from jinja2.runtime import LoopContext

from shared.templating.budget import spend, spend_on
from shared.templating.failures import RenderingFailed

LARGEST_NUMBER = 2**63
LOOP_FIELDS = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"})


class Missing(StrictUndefined):
    """A variable that is not there. It may be asked for (`if`, `default`), and never be used."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]
        """Let `if` ask for it."""
        return False


def present(value: Any) -> Any:
    """Pass a value on.

    Raises:
        UndefinedError: it is missing; the error names it.
    """
    if isinstance(value, Undefined):
        str(value)
    return value


def entry(holder: Any, key: Any) -> Any:
    """Look into a value: by key, by place, and into a loop by what it tells of itself; None where nothing is."""
    if isinstance(holder, dict):
        return holder.get(key) if isinstance(key, str) else None
    if isinstance(holder, list | tuple | str):
        is_place = isinstance(key, int) and not isinstance(key, bool) and -len(holder) <= key < len(holder)
        return holder[key] if is_place else None
    if isinstance(holder, LoopContext):
        return getattr(holder, key) if key in LOOP_FIELDS else None
    return None


def holds(holder: Any, key: Any) -> bool:
    """Tell whether there is anything, be it null."""
    if isinstance(holder, dict):
        return isinstance(key, str) and key in holder
    return entry(holder, key) is not None


def number(value: Any) -> Any:
    """Pass on a number of bearable size.

    Raises:
        RenderingFailed: it is none, or too large.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RenderingFailed("it reckons with what is no number")
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise RenderingFailed("it reckons with a number that is too large")
    return value


def spelled(value: Any) -> str:
    """Write a value as it stands in a message: null as nothing, what has parts as JSON.

    Raises:
        RenderingFailed: it is nothing that can be written.
        UndefinedError: it is missing.
    """
    if isinstance(value, str):
        return spend_on(value)
    if isinstance(value, dict | list | tuple):
        return "".join(_json(value, []))
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    present(value)
    raise RenderingFailed("it writes what is no text, number or list")


def _json(value: Any, written: list[str]) -> list[str]:
    if isinstance(value, dict):
        spend(1 + len(value))
        for place, (key, one) in enumerate(value.items()):
            written.append(f"{', ' if place else '{'}{encode_basestring(spend_on(key))}: ")
            _json(one, written)
        written.append("}" if value else "{}")
    elif isinstance(value, list | tuple):
        spend(1 + len(value))
        for place, one in enumerate(value):
            written.append(", " if place else "[")
            _json(one, written)
        written.append("]" if value else "[]")
    elif isinstance(value, str):
        written.append(encode_basestring(spend_on(value)))
    else:
        written.append("null" if value is None else spelled(value))
    return written


def weigh(value: Any) -> None:
    """Pay for going through a value with all its parts."""
    spend(1)
    if isinstance(value, str):
        spend_on(value)
    elif isinstance(value, dict):
        for key, one in value.items():
            spend_on(key)
            weigh(one)
    elif isinstance(value, list | tuple):
        for one in value:
            weigh(one)
