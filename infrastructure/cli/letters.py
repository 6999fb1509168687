"""Dead letters: what needs a person, listed, shown, and put away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from infrastructure.cli.commands import examples
from infrastructure.cli.connecting import Where, ask, at_server
from infrastructure.cli.exits import Ended, Exit
from infrastructure.cli.letter_lists import listed, with_filters
from infrastructure.cli.printing import plain, put, put_json, say, table, terminal_width
from infrastructure.cli.showing import AS_JSON

if TYPE_CHECKING:
    from infrastructure.client import Carillon

SET, HTTP_NOT_FOUND = 100, 404
STATUSES = ("open", "replayed", "resolved", "discarded")


@click.group(
    "dead-letters",
    invoke_without_command=True,
    epilog=examples(
        "carillon dead-letters",
        "carillon dead-letters --channel email --reason '550' --limit 20",
        "carillon dead-letters show 5b0b3c52-9c3e-4a35-8d0d-1f6a3f0a2b11",
        "carillon dead-letters discard 5b0b3c52-9c3e-4a35-8d0d-1f6a3f0a2b11 --reason 'the person is gone'",
    ),
)
@with_filters
@click.option(
    "--status", type=click.Choice(STATUSES), default="open", show_default=True, help="Those with this status."
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@AS_JSON
@at_server
@click.pass_context
def dead_letters(
    context: click.Context, /, *, where: Where, status: str, limit: int, as_json: bool, **filters: str | None
) -> None:
    """List what needs a person, the newest first: notifications that failed, and what no step could read."""
    if context.invoked_subcommand is not None:
        return
    found, is_more = ask(where, lambda carillon: listed(carillon, {**filters, "status": status}, limit))
    if as_json:
        put_json({"dead_letters": found})
        return
    titles = ("id", "kind", "at", "event type", "user", "channels", "why")
    for line in table(titles, [_row(one) for one in found], terminal_width(), whole=("id",)):
        put(line)
    say(f"{len(found)} {status}{', and more: --limit shows them' if is_more else ''}")


@dead_letters.command(
    "show",
    epilog=examples(
        "carillon dead-letters show 5b0b3c52-9c3e-4a35-8d0d-1f6a3f0a2b11",
        "carillon dead-letters show 5b0b3c52-9c3e-4a35-8d0d-1f6a3f0a2b11 --json",
    ),
)
@click.argument("letter_id", metavar="ID")
@AS_JSON
@at_server
def show_letter(*, letter_id: str, where: Where, as_json: bool) -> None:
    """Show one dead letter."""
    letter = ask(where, lambda carillon: carillon.request("GET", f"/dead-letters/{quote(letter_id, safe='')}"))
    if as_json:
        put_json(letter)
        return
    shown = [(name.replace("_", " "), _text(value)) for name, value in letter.items() if value not in (None, [], "")]
    for line in table(("", ""), shown, terminal_width()):
        put(line)


@dead_letters.command(
    epilog=examples(
        "carillon dead-letters discard 5b0b3c52-9c3e-4a35-8d0d-1f6a3f0a2b11 --reason 'the person is gone'",
    )
)
@click.argument("letter_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stays with the dead letter.")
@AS_JSON
@at_server
def discard(*, letter_ids: tuple[str, ...], reason: str, where: Where, as_json: bool) -> None:
    """Put dead letters away for good: nothing more is sent for them."""
    results = ask(where, lambda carillon: _discard(carillon, letter_ids, reason))
    conclude(results, "discarded", as_json=as_json)


async def _discard(carillon: Carillon, ids: Sequence[str], reason: str) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    for begin in range(0, len(ids), SET):
        document = {"ids": list(ids[begin : begin + SET]), "reason": reason}
        results += (await carillon.request("POST", "/dead-letters/discard", document))["results"]
    return results


def conclude(results: Sequence[dict[str, Any]], done: str, *, as_json: bool) -> None:
    """Tell what became of each of a set.

    Raises:
        Ended: for some it could not be done; with the code of the only one.
    """
    if as_json:
        put_json({"results": list(results)})
    refused = [one for one in results if "problem" in one]
    for one in refused:
        say(f"{one['id']}: {one['problem'].get('title', '')}: {one['problem'].get('detail', '')}")
    say(f"{len(results) - len(refused)} {done}" + (f"; {len(refused)} not" if refused else ""))
    end(results, done)


def end(results: Sequence[dict[str, Any]], done: str) -> None:
    """End the command as these ended.

    Raises:
        Ended: for some it could not be done; with the code of the only one.
    """
    refused = [one for one in results if "problem" in one]
    if refused:
        is_unknown = len(results) == 1 and refused[0]["problem"].get("status") == HTTP_NOT_FOUND
        raise Ended(Exit.NOT_FOUND if is_unknown else Exit.FAILED, f"{len(refused)} could not be {done}")


def _row(letter: dict[str, Any]) -> tuple[object, ...]:
    from infrastructure.cli import moments

    channels = " ".join(letter.get("channels") or ())
    about = (letter.get("event_type") or "", letter.get("user_id") or "", channels)
    return (letter["id"], letter["kind"], moments.ago(letter["created_at"], moments.now()), *about, letter["reason"])


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else plain(value)
