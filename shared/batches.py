"""Events that come together, as a JSON array of structured CloudEvents (docs/decisions/0002-the-batch-route.md)."""

from __future__ import annotations

import json
import re

from pydantic import TypeAdapter, ValidationError

from shared.events import Event, read_one, unpack
from shared.step.handed import Parcel

_BATCH = TypeAdapter(list[Event])
_DECODER = json.JSONDecoder()
_BLANKS = re.compile(r"[ \t\r\n]*")


def read_batch(body: bytes) -> list[Parcel] | None:
    """Read an array of events in one parse; if one of them is none of ours, one by one. None: it is no array."""
    try:
        return list(_BATCH.validate_json(body))
    except ValidationError:
        elements = cut(body)
    return None if elements is None else [_read_one(element) for element in elements]


def cut(body: bytes) -> list[bytes] | None:
    """Cut a JSON array into its elements, each with its bytes as they came. None: it is none."""
    try:
        text = body.decode()
        elements, at = [], _open(text)
        while at:
            end = _DECODER.raw_decode(text, at)[1]
            elements.append(text[at:end].encode())
            at = _after(text, end)
    except (ValueError, RecursionError):
        return None
    return elements


def _open(text: str) -> int:
    """Find where the first element begins; 0: there is none."""
    at = _blank(text, 0)
    if text[at : at + 1] != "[":
        raise ValueError("no array")
    first = _blank(text, at + 1)
    return first if text[first : first + 1] != "]" else _end(text, first)


def _after(text: str, at: int) -> int:
    """Find where the next element begins; 0: that was the last."""
    at = _blank(text, at)
    if text[at : at + 1] == ",":
        return _blank(text, at + 1)
    return _end(text, at)


def _end(text: str, at: int) -> int:
    if text[at : at + 1] != "]" or _blank(text, at + 1) != len(text):
        raise ValueError("the array does not end here")
    return 0


def _blank(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _read_one(element: bytes) -> Parcel:
    found = read_one(element)
    return found if isinstance(found, Event) else unpack(json.loads(element)) or found
