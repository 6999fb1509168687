"""A notification as a page to read: where it stands, what was tried, and what was decided in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from infrastructure.cli import moments
from infrastructure.cli.printing import plain, table, tinted

Document = Mapping[str, Any]

_FACTS = (
    ("preferred_channel", "asked for on"),
    ("collapse_key", "collapse key"),
    ("correlation_id", "correlation id"),
    ("cancelled_by", "cancelled by"),
    ("digest_id", "in digest"),
    ("digest_count", "events in it"),
)
"""Fields that most notifications have not."""


def notification(document: Document, at: datetime, width: int | None) -> list[str]:
    """Write the page of a notification, as it is told at `at`."""
    begin = document["created_at"]
    sections = [
        _head(document, at, width),
        _section("deliveries", ("channel", "status", "tries", "due", "why"), _deliveries(document, at), width),
        _section("attempts", ("at", "channel", "provider", "outcome", "why"), _attempts(document, begin), width),
        _section("passed over", ("channel", "why"), list(document.get("passed", {}).items()), width),
        _section("timeline", ("at", "channel", "what", "why"), timeline(document.get("timeline", ()), begin), width),
    ]
    return [line for section in sections for line in section]


def _head(document: Document, at: datetime, width: int | None) -> list[str]:
    title = f"{plain(document['event_type'])} for {plain(document['user_id'])}: {tinted(str(document['status']))}"
    epoch = document.get("epoch", 0)
    rows: list[tuple[str, str]] = [
        ("id", str(document["id"])),
        ("why", str(document.get("reason") or "")),
        ("accepted", _moment(document.get("created_at"), at)),
        ("changed", _moment(document.get("updated_at"), at)),
        ("due", _moment(document.get("send_at"), at)),
        ("expires", _moment(document.get("expires_at"), at)),
        ("started over", f"{epoch} time{'' if epoch == 1 else 's'}" if epoch else ""),
        *((title, str(document[name])) for name, title in _FACTS if document.get(name)),
    ]
    shown = [row for row in rows if row[1]]
    return [click.style(title, bold=True), *table(("", ""), shown, width)]


def _section(title: str, titles: Sequence[str], rows: Sequence[Sequence[object]], width: int | None) -> list[str]:
    if not rows:
        return []
    indent = "  "
    lines = table(titles, rows, width - len(indent) if width is not None else None)
    return ["", click.style(title.upper(), bold=True), *(indent + line for line in lines)]


def _deliveries(document: Document, at: datetime) -> list[Sequence[object]]:
    return [
        (one["channel"], one["status"], one.get("tries", ""), moments.ago(one.get("due_at"), at), one.get("reason"))
        for one in document.get("deliveries", ())
    ]


def _attempts(document: Document, begin: str) -> list[Sequence[object]]:
    return [
        (
            moments.after(one["ended_at"], begin),
            one["channel"],
            one.get("provider"),
            one["outcome"],
            " ".join(part for part in (one.get("code"), one.get("reason"), one.get("choice")) if part),
        )
        for one in document.get("attempts", ())
    ]


def timeline(lines: Iterable[Document], begin: str) -> list[Sequence[object]]:
    """Write what was decided, as rows."""
    return [(moments.after(one["at"], begin), one.get("channel"), one["what"], one["why"]) for one in lines]


def explanation(document: Document, width: int | None) -> list[str]:
    """Write why a notification took its way, a line for each rule."""
    rows = [(one["rule"], one.get("about"), one["verdict"], one["why"]) for one in document["rules"]]
    title = f"{document['id']}: {tinted(str(document['status']))}"
    return [click.style(title, bold=True), *table(("rule", "about", "verdict", "why"), rows, width)]


def _moment(text: str | None, at: datetime) -> str:
    return f"{moments.clock(text)}, {moments.ago(text, at)}" if text else ""
