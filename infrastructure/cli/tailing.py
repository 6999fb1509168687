"""Follow notifications in the terminal while they happen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from infrastructure.cli.commands import examples
from infrastructure.cli.connecting import Where, ask, at_server
from infrastructure.cli.exits import Ended, Exit
from infrastructure.cli.printing import plain, put, put_json_line, say, tinted
from shared.statuses import Channel, NotificationStatus

if TYPE_CHECKING:
    from infrastructure.client import Carillon

REACHED = frozenset({"sent", "delivered"})
IDLE_FACTOR = 2.0
"""Where nothing goes on, nobody waits for a change: so it is asked half as often."""


@click.command(
    epilog=examples(
        "carillon tail",
        "carillon tail --channel email --event-type order.confirmed",
        "carillon tail --status failed --lines 0 --json",
        "carillon tail 018f6c1e-7a52-7b3e-9c1d-2f4f5d0a9c11",
    )
)
@click.argument("notification_id", metavar="[ID]", required=False)
@click.option("--user", metavar="ID", help="Those for this user.")
@click.option("--status", type=click.Choice([one.value for one in NotificationStatus]), help="Changes to this status.")
@click.option("--channel", type=click.Choice([one.value for one in Channel]), help="Those asked for on this channel.")
@click.option("--event-type", metavar="NAME", help="Those of this event type.")
@click.option("-n", "--lines", type=click.IntRange(0, 100), default=10, show_default=True, help="Begin so many back.")
@click.option("--every", type=click.FloatRange(0.2, 60), default=1.0, show_default=True, help="Seconds between looks.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document for each change, one a line.")
@at_server
def tail(*, notification_id: str | None, where: Where, as_json: bool, every: float, lines: int, **filters: Any) -> None:
    """Follow notifications until Ctrl-C: the newest, and every change of where they stand.

    With an ID, one notification's timeline, until it has ended. Each change is printed once. A notification that goes
    on for more than ten minutes is not followed in the list any more.
    """
    if notification_id is not None:
        if any(filters.values()):
            raise click.UsageError("a filter is for the list, not for one ID")
        status = ask(where, lambda carillon: _follow_one(carillon, notification_id, every, as_json=as_json))
        if status not in REACHED:
            raise Ended(Exit.FAILED, f"{notification_id} ended {status}")
        return
    wanted = filters.pop("status")
    query = {"user_id": filters["user"], "channel": filters["channel"], "event_type": filters["event_type"]}
    known = {name: value for name, value in query.items() if value is not None}
    ask(where, lambda carillon: _follow(carillon, known, lines, every, _Printer(wanted, as_json=as_json)))


class _Printer:
    """Print each change on a line. A status is chosen here: asked of the list, it would hide how it came about."""

    def __init__(self, wanted: str | None, *, as_json: bool) -> None:
        self._wanted = wanted
        self._as_json = as_json

    def tell(self, row: Mapping[str, Any]) -> None:
        """Print a row."""
        if self._wanted is not None and row["status"] != self._wanted:
            return
        if self._as_json:
            put_json_line(dict(row))
            return
        at = row["updated_at"][11:23]
        channels = " ".join(f"{one['channel']}:{tinted(one['status'])}" for one in row["deliveries"])
        about = f"{plain(row['event_type'])} for {plain(row['user_id'])}"
        why = f"  {plain(row['reason'])}" if row["reason"] else ""
        put(f"{at}  {row['id']}  {tinted(row['status'].ljust(12))}  {about}  {channels}{why}".rstrip())


async def _follow(carillon: Carillon, query: Mapping[str, str], lines: int, every: float, printer: _Printer) -> None:
    from asyncio import sleep

    from infrastructure.cli.following import Watch

    watch = Watch(query)
    for row in await watch.first(carillon, lines):
        printer.tell(row)
    say("following; Ctrl-C ends it")
    while True:
        await sleep(every if watch.is_busy else every * IDLE_FACTOR)
        was_behind = watch.is_behind
        for row in await watch.look(carillon):
            printer.tell(row)
        if watch.is_behind and not was_behind:
            say("more happens than is shown here: a filter makes it less")


async def _follow_one(carillon: Carillon, notification_id: str, every: float, *, as_json: bool) -> str:
    """Print the timeline as it grows; return the status that it ended with."""
    from asyncio import sleep

    from infrastructure.cli import pages

    printed: Counter[str] = Counter()
    while True:
        found = await carillon.status(notification_id)
        for line in _unprinted(found.document["timeline"], printed):
            if as_json:
                put_json_line(line)
                continue
            ((at, channel, what, why),) = pages.timeline([line], found.document["created_at"])
            put(f"{at!s:>12}  {plain(channel):10}  {plain(what):18}  {plain(why)}".rstrip())
        if found.has_ended:
            say(f"{found.status}: {found.reason}" if found.reason else found.status)
            return found.status
        await sleep(every)


def _unprinted(timeline: Sequence[Mapping[str, Any]], printed: Counter[str]) -> list[Mapping[str, Any]]:
    """Choose the lines that were not there before. By what they say: one that comes late can stand further up."""
    now: Counter[str] = Counter()
    found = []
    for line in timeline:
        said = json.dumps(line, sort_keys=True)
        now[said] += 1
        if now[said] > printed[said]:
            printed[said] += 1
            found.append(line)
    return found
