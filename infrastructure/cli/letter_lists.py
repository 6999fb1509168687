"""Which dead letters: the filters of the list, and the list page after page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import click

from shared.statuses import Channel

if TYPE_CHECKING:
    from infrastructure.client import Carillon

PAGE = 100

KINDS = ("notification", "unknown", "garbage", "internal")

_TYPES = {"kind": click.Choice(KINDS), "channel": click.Choice([channel.value for channel in Channel])}
_FILTERS = (
    ("kind", "--kind", "Those of this kind."),
    ("channel", "--channel", "Those of notifications on this channel."),
    ("event_type", "--event-type", "Those of this event type."),
    ("user_id", "--user", "Those for this user."),
    ("reason", "--reason", "Those whose reason holds this text."),
    ("created_after", "--after", "Those made at this time or later, RFC 3339."),
    ("created_before", "--before", "Those made before this time."),
)
"""The name of the API, the option, and what it says."""

Filters = Mapping[str, str | None]


def with_filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the filters of the list, each under its own name."""
    for name, option, about in reversed(_FILTERS):
        kind = _TYPES.get(name)
        command = click.option(option, name, type=kind, metavar=None if kind else "TEXT", help=about)(command)
    return command


async def listed(carillon: Carillon, filters: Filters, limit: int) -> tuple[list[dict[str, Any]], bool]:
    """List so many, the newest first; tell whether there are more."""
    said = {name: value for name, value in filters.items() if value is not None}
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None and len(found) < limit:
        query = {**said, "limit": str(min(PAGE, limit - len(found))), **({"cursor": cursor} if cursor else {})}
        page = await carillon.request("GET", f"/dead-letters?{urlencode(query)}")
        found += page["dead_letters"]
        cursor = page["next_cursor"]
    return found[:limit], cursor is not None or len(found) > limit
