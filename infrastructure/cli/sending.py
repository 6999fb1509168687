"""Send: one event, or the many of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from infrastructure.cli import said
from infrastructure.cli.commands import examples
from infrastructure.cli.connecting import Where, ask, at_server
from infrastructure.cli.event_lines import Form
from infrastructure.cli.exits import Ended, Exit
from infrastructure.cli.printing import put, put_json, say
from shared.statuses import Channel

if TYPE_CHECKING:
    from infrastructure.client import Carillon

REACHED = frozenset({"sent", "delivered"})
WAIT_SECONDS = 60.0
FOR_ONE = ("user", "key", "wait", "timeout")
FOR_MANY = ("form", "run", "from_line", "rejected", "set_size", "at_once")


def _options(*options: Callable[..., Any]) -> Callable[..., Any]:
    def give(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return give


_EVENT = _options(
    click.option("--user", metavar="ID", help="Whom it is for."),
    click.option("--message", metavar="TEXT", help="What is said: data.message."),
    click.option(
        "--data", "pairs", multiple=True, metavar="NAME=TEXT", help="More data; NAME:=JSON for what is no text."
    ),
    click.option("--channel", type=click.Choice([one.value for one in Channel]), help="The preferred channel."),
    click.option("--send-at", metavar="TIME", help="Not before; RFC 3339, such as 2027-01-01T08:00:00Z."),
    click.option("--expires-at", metavar="TIME", help="Not after."),
    click.option("--collapse-key", metavar="NAME", help="A newer one of the same user with this key takes its place."),
    click.option("--priority", type=click.Choice(["high", "normal", "low"])),
    click.option("--key", metavar="NAME", help="The event's own id: sent again under it, it is the same notification."),
    click.option("--wait", is_flag=True, help="Wait until it has ended; 1 if it did not reach anybody."),
    click.option(
        "--timeout", type=click.FloatRange(min=0.1), metavar="SECONDS", help="How long to wait; 60 if not said."
    ),
)
_FILE = _options(
    click.option("--file", "path", metavar="PATH", help="Send the events of this file; - for the standard input."),
    click.option("--format", "form", type=click.Choice([one.value for one in Form]), help="Else by the file's name."),
    click.option("--run", metavar="NAME", help="What makes two runs one: nothing is sent twice in it."),
    click.option("--from-line", type=click.IntRange(min=1), help="Leave out what comes before."),
    click.option("--rejected", type=click.Path(dir_okay=False, path_type=Path), help="Where rejected lines are kept."),
    click.option(
        "--batch-size", "set_size", type=click.IntRange(1, 1000), help="Events in a request; 200 if not said."
    ),
    click.option("--at-once", type=click.IntRange(1, 32), help="Requests at once; 4 if not said."),
)


@click.command(
    epilog=examples(
        'carillon send order.confirmed --user 42 --message "Order #42 confirmed" --channel email --wait',
        'carillon send invoice.ready --user 42 --message "Your invoice" --data number=2041 --data total:=12.5',
        'carillon send order.confirmed --user 42 --message "Order #42 confirmed" --key order-42-confirmed',
        "carillon send --file events.jsonl",
        "carillon send newsletter --file readers.csv --channel email --message 'The March issue is out.'",
        "zcat events.jsonl.gz | carillon send --file - --run march --json > kept.jsonl",
    )
)
@click.argument("event_type", required=False)
@_EVENT
@_FILE
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document; with --file one a line.")
@at_server
@click.pass_context
def send(context: click.Context, /, *, where: Where, **choices: Any) -> None:
    """Send one event, or every event of a file.

    The id of the notification is printed; what is kept is on disk, and will end.

    With --file: JSON lines as POST /events takes them, or a CSV with a header (event_type, user_id, channel, message,
    and whatever templates use). What the other options say is said of every line that does not say it itself.

    Repeated in the same run, nothing is sent twice: a line's own id or key is its name, else its words are, and how
    often they came before. The run is called as the file is, unless --run names it. Rejected lines are kept beside it.
    """
    is_many = choices["path"] is not None
    strange = [name for name in (FOR_ONE if is_many else FOR_MANY) if choices[name]]
    if strange:
        option = next(one for one in context.command.params if one.name == strange[0]).opts[0]
        raise click.UsageError(f"{option} is {'not ' if is_many else ''}for --file")
    wishes = ("send_at", "expires_at", "collapse_key", "priority")
    event = said.event(
        {"event_type": choices["event_type"], **{name: choices[name] for name in wishes}},
        **{name: choices[name] for name in ("message", "channel", "pairs")},
    )
    if is_many:
        _send_many(where, event, choices)
    else:
        _send_one(where, event, choices)


def _send_one(where: Where, event: dict[str, Any], choices: dict[str, Any]) -> None:
    if not event.get("event_type") or choices["user"] is None:
        raise click.UsageError("an event needs EVENT_TYPE and --user; many of them need --file")
    # Under one key from here on: whatever is lost on the way, and asked again, is the same event.
    document = {**event, "user_id": choices["user"], "id": choices["key"] or str(uuid4())}
    seconds = choices["timeout"] or WAIT_SECONDS

    async def work(carillon: Carillon) -> tuple[dict[str, Any], str]:
        kept = await carillon.request("POST", "/events", document)
        if not choices["as_json"]:
            put(kept["id"])
        if not choices["wait"]:
            return kept, str(kept["status"])
        say(f"it is kept, and {kept['status']}")
        ended = await carillon.wait_for(kept["id"], timeout_seconds=seconds)
        return dict(ended.document), ended.status

    found, status = ask(where, work)
    if choices["as_json"]:
        put_json(found)
    else:
        say(f"{status}: {found['reason']}" if found.get("reason") else status)
    if choices["wait"] and status not in REACHED:
        raise Ended(Exit.FAILED, f"{found['id']} ended {status}")


def _send_many(where: Where, event: dict[str, Any], choices: dict[str, Any]) -> None:
    from infrastructure.cli.bulk import Choices, send_many

    names = ("path", "form", "run", "from_line", "rejected", "set_size", "at_once", "as_json")
    send_many(where, event, Choices(**{name: choices[name] for name in names}))
