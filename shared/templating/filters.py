"""The filters that a template has. Each takes plain values and pays for its work."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

from jinja2 import Undefined

from shared.templating.budget import CHARACTERS, bear, spend, spend_on
from shared.templating.failures import RenderingFailed
from shared.templating.values import entry, number, present, spelled, weigh

MOST_DIGITS = 10
_DATE_FORM = re.compile(r"(?:[^%]|%[dmYyHIMSpj%])*", re.DOTALL)
LONGEST_NUMBER = 40


def default(value: Any, instead: Any = "", boolean: Any = False) -> Any:
    """Take the place of what is missing; with true as second word also of what is empty."""
    return instead if isinstance(value, Undefined) or (boolean and not value) else value


def upper(value: Any) -> str:
    """Write in capitals."""
    return _text(value).upper()


def lower(value: Any) -> str:
    """Write in small letters."""
    return _text(value).lower()


def title(value: Any) -> str:
    """Begin each word with a capital."""
    return _text(value).title()


def capitalize(value: Any) -> str:
    """Begin with a capital."""
    return _text(value).capitalize()


def trim(value: Any) -> str:
    """Take the space around it away."""
    return _text(value).strip()


def replace(value: Any, old: Any, new: Any) -> str:
    """Put one text in the place of another."""
    text, old, new = _text(value), _text(old), _text(new)
    if not old:
        raise RenderingFailed("replace needs something to replace")
    bear(len(text) + text.count(old) * max(0, len(new) - len(old)))
    return text.replace(old, new)


def truncate(value: Any, length: Any = 255, end: Any = "…") -> str:
    """Cut to a length, the end included."""
    text, ending, room = _text(value), _text(end), _whole(length)
    return text if len(text) <= room else text[: max(0, room - len(ending))].rstrip() + ending


def join(value: Any, between: Any = "") -> str:
    """Write the parts of a list behind one another."""
    glue, parts = _text(between), [spelled(one) for one in _parts(value)]
    bear(sum(map(len, parts)) + len(glue) * len(parts))
    return glue.join(parts)


def length(value: Any) -> int:
    """Count the characters of a text, the parts of anything else."""
    if not isinstance(present(value), str | dict | list | tuple):
        raise RenderingFailed("only a text, a list or an object has a length")
    return len(value)


def first(value: Any) -> Any:
    """Take the first part; nothing of an empty list."""
    return next(iter(_parts(value)), None)


def last(value: Any) -> Any:
    """Take the last part; nothing of an empty list."""
    return next(reversed(_parts(value)), None)


def reverse(value: Any) -> list[Any]:
    """Turn a list round."""
    return list(reversed(_parts(value)))


def sort(value: Any, reverse: Any = False, attribute: Any = None) -> list[Any]:
    """Put a list in order: numbers, or texts without regard to capitals."""
    parts = _parts(value)
    spend(len(parts) * len(parts).bit_length())
    keys = [_sortable(one if attribute is None else entry(one, attribute)) for one in parts]
    places = sorted(range(len(parts)), key=keys.__getitem__, reverse=bool(reverse))
    return [parts[place] for place in places]


def map_attribute(value: Any, attribute: Any) -> list[Any]:
    """Take the same entry of each part."""
    return [entry(one, attribute) for one in _parts(value)]


def unique(value: Any) -> list[Any]:
    """Leave out what was there before. For texts and numbers."""
    kept: dict[Any, Any] = {}
    for one in _parts(value):
        kept.setdefault(_sortable(one), one)
    return list(kept.values())


def items(value: Any) -> list[tuple[str, Any]]:
    """List the keys of an object with their values."""
    if not isinstance(present(value), dict):
        raise RenderingFailed("only an object has items")
    spend(len(value))
    return list(value.items())


def total(value: Any, attribute: Any = None) -> Any:
    """Add up a list of numbers."""
    return number(sum(number(one if attribute is None else entry(one, attribute)) for one in _parts(value)))


def smallest(value: Any) -> Any:
    """Find the smallest of a list; nothing of an empty one."""
    return first(sort(value))


def largest(value: Any) -> Any:
    """Find the largest of a list; nothing of an empty one."""
    return last(sort(value))


def whole(value: Any, default: Any = 0) -> Any:
    """Read a whole number; the default where there is none."""
    try:
        return number(int(_numeric(value)))
    except (ValueError, OverflowError):
        return default


def real(value: Any, default: Any = 0.0) -> Any:
    """Read a number; the default where there is none."""
    try:
        return _numeric(value)
    except ValueError:
        return default


def rounded(value: Any, digits: Any = 0) -> float:
    """Round to a number of digits."""
    return round(float(number(present(value))), max(0, min(_whole(digits), MOST_DIGITS)))


def absolute(value: Any) -> Any:
    """Drop the sign."""
    return abs(number(present(value)))


def decimals(value: Any, digits: Any = 2, point: Any = ".", thousands: Any = ",") -> str:
    """Write a number with so many digits behind the point, and what stands between the thousands."""
    written = f"{number(present(value)):,.{max(0, min(_whole(digits), MOST_DIGITS))}f}"
    return written.translate({ord(","): _text(thousands)[:3], ord("."): _text(point)[:3]})


def date(value: Any, form: Any = "%Y-%m-%d") -> str:
    """Write a point in time (ISO 8601) in a form of strftime's: %d %m %Y %y %H %I %M %S %p %j and %%."""
    form = _text(form)
    bear(len(form))
    if not _DATE_FORM.fullmatch(form):
        raise RenderingFailed("date knows %d %m %Y %y %H %I %M %S %p %j and %%")
    try:
        return datetime.fromisoformat(_text(value)).strftime(form)
    except ValueError:
        raise RenderingFailed("date needs a point in time as 2026-11-21T08:00:00Z") from None


def urlencode(value: Any) -> str:
    """Write a text as a part of an address."""
    text = _text(value)
    bear(len(text) * 12)
    return quote(text, safe="")


def string(value: Any) -> str:
    """Write a value as it would stand in the message."""
    return spelled(value)


FILTERS: dict[str, Callable[..., Any]] = {
    "abs": absolute, "capitalize": capitalize, "count": length, "d": default, "date": date, "default": default,
    "first": first, "float": real, "int": whole, "items": items, "join": join, "last": last, "length": length,
    "lower": lower, "map": map_attribute, "max": largest, "min": smallest, "number": decimals, "replace": replace,
    "reverse": reverse, "round": rounded, "sort": sort, "string": string, "sum": total, "title": title, "trim": trim,
    "truncate": truncate, "unique": unique, "upper": upper, "urlencode": urlencode,
}  # fmt: skip
METHODS = {"items": "items", "lower": "lower", "strip": "trim", "title": "title", "upper": "upper"}
"""Calls that people write out of habit, and the filters that are meant."""


def concatenate(parts: list[Any]) -> str:
    """Do what `~` does."""
    texts = [spelled(one) for one in parts]
    bear(sum(map(len, texts)))
    return "".join(texts)


def each(value: Any, weight: int) -> Any:
    """Pay for a loop before it runs: for each part, the nodes of its body."""
    value = present(value)
    if not isinstance(value, dict | list | tuple):
        raise RenderingFailed("it goes through what is no list")
    spend(1 + len(value) * weight)
    return list(value)


def cut(value: Any, start: Any, stop: Any, step: Any) -> Any:
    """Do what `[start:stop:step]` does."""
    taken = present(value)[slice(start, stop, step)]
    spend(1 + len(taken) // (CHARACTERS if isinstance(taken, str) else 1))
    return taken


def compare(left: Any, operator: str, right: Any) -> bool:
    """Compare two values, and pay for the longer one."""
    for side in (left, right):
        weigh(present(side))
    return bool(_COMPARISONS[operator](left, right))


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "lt": lambda left, right: left < right,
    "lteq": lambda left, right: left <= right,
    "gt": lambda left, right: left > right,
    "gteq": lambda left, right: left >= right,
    "in": lambda left, right: left in right,
    "notin": lambda left, right: left not in right,
}


def _text(value: Any) -> str:
    return spelled(value)


def _parts(value: Any) -> list[Any]:
    if not isinstance(present(value), str | dict | list | tuple):
        raise RenderingFailed("it takes apart what is no list")
    spend(1 + len(value))
    return list(value)


def _whole(value: Any) -> int:
    return int(number(present(value)))


def _numeric(value: Any) -> Any:
    if isinstance(present(value), str):
        return float(value[:LONGEST_NUMBER]) if "." in value else int(value[:LONGEST_NUMBER])
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    return value


def _sortable(value: Any) -> Any:
    if isinstance(value, str):
        return spend_on(value).casefold()
    return number(present(value))
