"""What a command says: data to the standard output, words to the standard error, nothing that moves the cursor.

Texts come from strangers (a mail server's reason, a user's name), so control characters never reach the terminal.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any

import click

GAP = "  "
NARROWEST = 8
"""No column of a table is cut below this."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_GREEN, _YELLOW, _RED = "green", "yellow", "red"

COLOURS = {
    **dict.fromkeys(("sent", "delivered", "read", "accepted", "ok", "send"), _GREEN),
    **dict.fromkeys(("queued", "sending", "retrying", "deferred", "compensating", "ambiguous", "throttled"), _YELLOW),
    **dict.fromkeys(("transient", "warning", "hold", "unknown", "open"), _YELLOW),
    **dict.fromkeys(("failed", "expired", "permanent", "fault"), _RED),
}
"""The colour of a word that says where something stands; the others have none."""


def say(words: str) -> None:
    """Say something to a person."""
    click.echo(plain(words), err=True)


def put(line: str) -> None:
    """Print a line of data."""
    click.echo(line)


def put_json(document: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def put_json_line(document: Any) -> None:
    """Print a JSON document on a line of its own, at once: somebody may be reading along."""
    click.echo(json.dumps(document, ensure_ascii=False, separators=(",", ":")))
    sys.stdout.flush()


def plain(text: object) -> str:
    """Write a text on one line: whatever could move the cursor or turn the writing becomes a blank."""
    return _CONTROL.sub(" ", "" if text is None else str(text))


def tinted(word: str) -> str:
    """Colour a word that says where something stands."""
    colour = COLOURS.get(word.strip())
    return click.style(word, fg=colour) if colour else word


def terminal_width() -> int | None:
    """Tell how wide a table may be; None where nobody looks at it, and nothing is to be cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def cells(text: str) -> int:
    """Count the cells that a text takes in a terminal."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def table(
    titles: Sequence[str], rows: Sequence[Sequence[object]], width: int | None, *, whole: Sequence[str] = ()
) -> list[str]:
    """Lay out a table. Within a width columns are cut, the widest first; the last one goes on in further lines.

    Columns whose titles are in `whole` are not: somebody will type an id again.
    """
    texts = [[plain(cell) for cell in row] for row in rows]
    widths = [max(cells(text) for text in column) for column in zip(titles, *texts, strict=True)]
    widths = _fitted(widths, width, {place for place, title in enumerate(titles) if title in whole})
    lines = [click.style(_line(titles, widths), bold=True)] if any(titles) else []
    for row in texts:
        lines += _lines(row, widths, width)
    return lines


def _fitted(widths: list[int], width: int | None, whole: Collection[int]) -> list[int]:
    """Take from the widest column until all fit."""
    fitted = list(widths)
    if width is None:
        return fitted
    while sum(fitted) + len(GAP) * (len(fitted) - 1) > width:
        widest = max(set(range(len(fitted))) - set(whole), key=lambda place: fitted[place])
        if fitted[widest] <= NARROWEST:
            break
        fitted[widest] -= 1
    return fitted


def _lines(row: Sequence[str], widths: Sequence[int], width: int | None) -> list[str]:
    *first, last = row
    parts = _wrapped(last, widths[-1]) if width is not None else [last]
    lines = [_line([*first, parts[0]], widths, is_tinted=True)]
    indent = " " * (sum(widths[:-1]) + len(GAP) * (len(widths) - 1))
    return lines + [indent + part for part in parts[1:]]


def _line(row: Sequence[str], widths: Sequence[int], *, is_tinted: bool = False) -> str:
    shown = [_cut(text, width) for text, width in zip(row, widths, strict=True)]
    padded = [text + " " * (width - cells(text)) for text, width in zip(shown, widths, strict=True)]
    line = GAP.join([*padded[:-1], shown[-1]]).rstrip()
    return GAP.join([*map(tinted, padded[:-1]), shown[-1]]).rstrip() if is_tinted else line


def _cut(text: str, width: int) -> str:
    return text if cells(text) <= width else f"{_beginning(text, width - 1)}…"


def _beginning(text: str, width: int) -> str:
    kept, used = 0, 0
    for letter in text:
        used += cells(letter)
        if used > width:
            break
        kept += 1
    return text[:kept]


def _wrapped(text: str, width: int) -> list[str]:
    """Break a text between words, and inside one that is too long for a line."""
    lines, line = [], ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cells(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        while cells(word) > width:
            part = _beginning(word, width)
            lines.append(part)
            word = word[len(part) :]
        line = word
    return [*lines, line]
