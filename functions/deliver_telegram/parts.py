"""The words of a message as Telegram takes them: HTML, in parts of at most 4,096 characters."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

LONGEST_PART = 4096
"""As Telegram counts: UTF-16 units of what is seen, without tags and with `&amp;` for one."""

SEPARATORS = ("\n\n", "\n", " ")
"""A paragraph is the best place to part, then a line, then a word."""


def compose(subject: str, text: str) -> list[str]:
    """Write a message in as many parts as it takes, the subject in bold; none if there is nothing to say."""
    subject, text = subject.strip(), text.strip()
    if _repeats(text, subject):
        subject = ""
    seen = "\n\n".join(words for words in (subject, text) if words)
    return [_html(seen, start, end, len(subject)) for start, end in _spans(seen)]


def _repeats(text: str, subject: str) -> bool:
    """Tell whether a text begins with its subject, so that the subject adds nothing."""
    beginning, following = text[: len(subject)], text[len(subject) : len(subject) + 1]
    return beginning.casefold() == subject.casefold() and not following.isalnum()


def _spans(seen: str) -> Iterator[tuple[int, int]]:
    """Divide what is seen; the white space where it is divided is left out, as Telegram does at either end."""
    start = 0
    while start < len(seen):
        end = _end(seen, start)
        piece = seen[start:end]
        if piece.strip():
            yield start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
        start = end


def _end(seen: str, start: int) -> int:
    """Find where a part ends: at the best separator of its latter half, else where it is full."""
    full = _full(seen, start)
    if full == len(seen):
        return full
    half = start + (full - start) // 2
    for separator in SEPARATORS:
        found = seen.rfind(separator, half, full + len(separator))
        if found >= 0:
            return found
    return full


def _full(seen: str, start: int) -> int:
    """Count how far 4,096 units reach; most characters are one, those beyond the basic plane are two."""
    end = min(len(seen), start + LONGEST_PART)
    while (units := len(seen[start:end].encode("utf-16-le", "surrogatepass")) // 2) > LONGEST_PART:
        end -= (units - LONGEST_PART + 1) // 2
    return end


def _html(seen: str, start: int, end: int, bold_until: int) -> str:
    """Write a span with its share of the subject in bold. It is escaped last, so nothing is cut within an entity."""
    bold, plain = seen[start : min(end, bold_until)], seen[max(start, bold_until) : end]
    written = escape(plain, quote=False)
    return f"<b>{escape(bold, quote=False)}</b>{written}" if bold else written
