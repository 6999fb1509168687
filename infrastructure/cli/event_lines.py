"""Read many events, from JSON lines or CSV, and give each a key under which it is the same event next time."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

FIELDS = frozenset(
    {
        *("event_type", "user_id", "id", "source", "timestamp"),
        *("send_at", "expires_at", "collapse_key", "on_ambiguous", "priority"),
    }
)
"""Columns of a CSV that are the event's own; `channel` is `data.preferred_channel`, and any other belongs to `data`."""

DELIMITERS = ",;\t"


class Form(StrEnum):
    """How a file holds events."""

    JSONL = "jsonl"  # a JSON object a line, as POST /events takes it
    CSV = "csv"  # a header, then a row for each


class NotReadable(Exception):
    """A line that is no event; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One event and the line it ends on."""

    number: int
    key: str
    document: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenLine:
    """A line that holds none."""

    number: int
    why: str
    text: str = field(repr=False)


Line = EventLine | BrokenLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is needed to read a file: its form, the name of the run, and what is said of every event in it."""

    form: Form
    run: str
    defaults: Mapping[str, Any] = field(default_factory=dict, repr=False)


def read(lines: Iterable[str], reading: Reading) -> Iterator[Line]:
    """Read events one by one; blank lines are none."""
    found = _csv(lines) if reading.form is Form.CSV else _json(lines)
    seen: Counter[bytes] = Counter()
    for number, said, text in found:
        if isinstance(said, NotReadable):
            yield BrokenLine(number=number, why=str(said), text=text)
            continue
        document = _completed(said, reading.defaults)
        if "id" not in document:
            document["id"] = _derived(document, reading.run, seen)
        yield EventLine(number=number, key=str(document["id"]), document=document)


Found = tuple[int, dict[str, Any] | NotReadable, str]


def _json(lines: Iterable[str]) -> Iterator[Found]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            document = json.loads(line, parse_constant=_refuse)
        except (ValueError, RecursionError):
            yield number, NotReadable("it is no JSON"), line
            continue
        if not isinstance(document, dict):
            yield number, NotReadable("it is no JSON object"), line
        elif not isinstance(document.get("data", {}), dict):
            yield number, NotReadable("its data is no JSON object"), line
        else:
            yield number, _renamed(document), line


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _csv(lines: Iterable[str]) -> Iterator[Found]:
    lines = iter(lines)
    head = next(lines, "")
    delimiter = max(DELIMITERS, key=head.count)
    titles = [title.strip() for title in next(csv.reader([head], delimiter=delimiter), [])]
    rows = csv.reader(lines, delimiter=delimiter)
    for row in rows:
        number = rows.line_num + 1
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(titles):
            why = f"it has {len(row)} cells, and the header {len(titles)}"
            yield number, NotReadable(why), delimiter.join(row)
            continue
        yield number, _of_row(dict(zip(titles, row, strict=True))), delimiter.join(row)


def _of_row(row: Mapping[str, str]) -> dict[str, Any]:
    said = _renamed({name: value for name, value in row.items() if value != ""})
    data = {name.removeprefix("data."): value for name, value in said.items() if name not in FIELDS}
    if "channel" in data:
        data["preferred_channel"] = data.pop("channel")
    return {**{name: value for name, value in said.items() if name in FIELDS}, "data": data}


def _renamed(document: dict[str, Any]) -> dict[str, Any]:
    """Let `key` be another name of `id`."""
    if "key" in document and "id" not in document:
        document["id"] = document.pop("key")
    return document


def _completed(said: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {**defaults, **said, "data": {**defaults.get("data", {}), **said.get("data", {})}}


def _derived(document: Mapping[str, Any], run: str, seen: Counter[bytes]) -> str:
    """Derive a key from the run, what is said, and how often it was said before in this run.

    Not from the line's number: a line that is put in above would make all that follow it new, and send them again.
    """
    said = json.dumps(document, sort_keys=True, ensure_ascii=False).encode(errors="surrogatepass")
    digest = hashlib.sha256(run.encode(errors="surrogatepass") + b"\0" + said).digest()[:16]
    times = seen[digest]
    seen[digest] += 1
    return f"{digest.hex()}-{times}" if times else digest.hex()
