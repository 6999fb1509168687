"""Show what became of a notification, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from infrastructure.cli.commands import examples
from infrastructure.cli.connecting import Where, ask, at_server
from infrastructure.cli.printing import put, put_json, terminal_width

if TYPE_CHECKING:
    from infrastructure.client import Carillon

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.command(
    epilog=examples(
        "carillon show 018f6c1e-7a52-7b3e-9c1d-2f4f5d0a9c11",
        "carillon show 018f6c1e-7a52-7b3e-9c1d-2f4f5d0a9c11 --json | jq -r .status",
    )
)
@click.argument("notification_id", metavar="ID")
@AS_JSON
@at_server
def show(*, notification_id: str, where: Where, as_json: bool) -> None:
    """Show a notification: where it stands, its deliveries, attempts and timeline.

    Times in tables are counted from the moment it was accepted.
    """
    document = ask(where, lambda carillon: _get(carillon, notification_id))
    if as_json:
        put_json(document)
        return
    from infrastructure.cli import moments, pages

    for line in pages.notification(document, moments.now(), terminal_width()):
        put(line)


@click.command(
    epilog=examples(
        "carillon explain 018f6c1e-7a52-7b3e-9c1d-2f4f5d0a9c11",
        "carillon explain 018f6c1e-7a52-7b3e-9c1d-2f4f5d0a9c11 --json",
    )
)
@click.argument("notification_id", metavar="ID")
@AS_JSON
@at_server
def explain(*, notification_id: str, where: Where, as_json: bool) -> None:
    """Explain a notification: why this channel, why not each other one, why now, why again."""
    document = ask(where, lambda carillon: _get(carillon, notification_id, "/explain"))
    if as_json:
        put_json(document)
        return
    from infrastructure.cli import pages

    for line in pages.explanation(document, terminal_width()):
        put(line)


async def _get(carillon: Carillon, notification_id: str, what: str = "") -> Any:
    return await carillon.request("GET", f"/api/v1/notifications/{quote(notification_id, safe='')}{what}")
