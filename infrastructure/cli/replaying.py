"""Replay dead letters: one, or all that match; first as a dry run, first a few."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from infrastructure.cli.commands import examples
from infrastructure.cli.connecting import Where, ask, at_server
from infrastructure.cli.exits import Ended, Exit
from infrastructure.cli.letter_lists import listed, with_filters
from infrastructure.cli.letters import SET, conclude, end
from infrastructure.cli.printing import plain, put, put_json, say, table, terminal_width
from infrastructure.cli.showing import AS_JSON

if TYPE_CHECKING:
    from infrastructure.client import Carillon

TOLD_DRY = 20
REACHED = frozenset({"sent", "delivered"})
FIRST_SECONDS = 120.0
Result = dict[str, Any]


@click.command(
    epilog=examples(
        "carillon replay 5b0b3c52-9c3e-4a35-8d0d-1f6a3f0a2b11",
        "carillon replay --all-matching --channel email --reason '421' --limit 500 --dry-run",
        "carillon replay --all-matching --channel email --reason '421' --limit 500 --first 5",
        "carillon replay --all-matching --event-type order.confirmed --limit 1000 --yes --json",
    )
)
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@click.option("--all-matching", is_flag=True, help="All open ones that the filters match, the newest first.")
@with_filters
@click.option("--limit", type=click.IntRange(1, 10_000), help="At most so many; needed with --all-matching.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and what would hold it; change nothing.")
@click.option("--first", type=click.IntRange(1), help="Replay so many, wait for their ends, then ask for the rest.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask. With --first: go on if all of them were sent.")
@AS_JSON
@at_server
def replay(*, letter_ids: tuple[str, ...], where: Where, as_json: bool, **choices: Any) -> None:
    """Start the sagas of dead letters over. Twice done is once done.

    More than one is asked about before. Each begins its next epoch: what it was sent under the former one is stale.
    """
    options = {name: choices.pop(name) for name in ("all_matching", "limit", "dry_run", "first", "is_sure")}
    filters = {name: value for name, value in choices.items() if value is not None}
    _check(letter_ids, filters, options)
    ids = letter_ids or ask(where, lambda carillon: _matching(carillon, filters, options["limit"]))
    if not ids:
        say("nothing matches")
        conclude([], "replayed", as_json=as_json)
    elif options["dry_run"]:
        results = ask(where, lambda carillon: _in_sets(carillon, "/dead-letters/dry-run", ids))
        _tell_dry(results, as_json=as_json)
        end(results, "tried")
    else:
        _replay(where, ids, options["first"], is_sure=options["is_sure"], as_json=as_json)


def _check(ids: Sequence[str], filters: dict[str, str], options: dict[str, Any]) -> None:
    if bool(ids) == bool(options["all_matching"]):
        raise click.UsageError("say which: ids, or --all-matching with filters")
    if filters and ids:
        raise click.UsageError("filters are for --all-matching, not for ids")
    if options["all_matching"] and options["limit"] is None:
        raise click.UsageError("--all-matching needs --limit")


async def _matching(carillon: Carillon, filters: dict[str, str], limit: int) -> tuple[str, ...]:
    found, is_more = await listed(carillon, {**filters, "status": "open"}, limit)
    if is_more:
        say(f"more than {limit} match: these are the newest")
    return tuple(one["id"] for one in found)


def _replay(where: Where, ids: Sequence[str], first: int | None, *, is_sure: bool, as_json: bool) -> None:
    if len(ids) > 1 and not is_sure:
        _ask(f"Replay {len(ids)} dead letters?")
    results: list[Result] = []
    rest = list(ids)
    if first is not None and first < len(ids):
        results = ask(where, lambda carillon: _in_sets(carillon, "/dead-letters/replay", ids[:first]))
        rest = rest[first:]
        if not ask(where, lambda carillon: _fared_well(carillon, results)) and is_sure:
            conclude(results, "replayed", as_json=as_json)
            raise Ended(Exit.FAILED, f"not all of the first {first} were sent: the other {len(rest)} stay as they are")
        if not is_sure and not _agrees(f"Replay the other {len(rest)}?"):
            rest = []
    results += ask(where, lambda carillon: _in_sets(carillon, "/dead-letters/replay", rest))
    conclude(results, "replayed", as_json=as_json)


async def _in_sets(carillon: Carillon, path: str, ids: Sequence[str]) -> list[Result]:
    """Ask for all, a set at a time, with a bar where somebody looks."""
    results: list[Result] = []
    is_shown = len(ids) > SET and sys.stderr.isatty()
    bar: Any = click.progressbar(length=len(ids), file=sys.stderr, show_pos=True, hidden=not is_shown)
    with bar:
        for begin in range(0, len(ids), SET):
            chosen = list(ids[begin : begin + SET])
            results += (await carillon.request("POST", path, {"ids": chosen}))["results"]
            bar.update(len(chosen))
    return results


async def _fared_well(carillon: Carillon, results: Sequence[Result]) -> bool:
    """Wait for the ends of those that start over, and tell them."""
    from infrastructure.client import StillUnderWay

    are_well = True
    for one in results:
        if "problem" in one:
            are_well = False
            continue
        key = one["notification_id"]
        try:
            ended = await carillon.wait_for(key, timeout_seconds=FIRST_SECONDS)
        except StillUnderWay:
            say(f"{key} is still under way")
            are_well = False
            continue
        say(f"{key} {ended.status}: {ended.reason}" if ended.reason else f"{key} {ended.status}")
        are_well = are_well and ended.status in REACHED
    return are_well


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: --yes says that it is meant")
    if not _agrees(question):
        raise Ended(Exit.FAILED, "nothing was done")


def _agrees(question: str) -> bool:
    return click.confirm(question, err=True)


def _tell_dry(results: Sequence[Result], *, as_json: bool) -> None:
    if as_json:
        put_json({"results": list(results)})
        return
    for one in results[:TOLD_DRY]:
        for line in _dry(one):
            put(line)
    if len(results) > TOLD_DRY:
        say(f"and {len(results) - TOLD_DRY} more: --json tells them all")
    counts: dict[str, int] = {}
    for one in results:
        verdict = "problem" if "problem" in one else one["verdict"]
        counts[verdict] = counts.get(verdict, 0) + 1
    say(", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())) + "; nothing was changed")


def _dry(one: Result) -> list[str]:
    if "problem" in one:
        problem = one["problem"]
        return [f"{one['id']}: {plain(problem.get('title'))}: {plain(problem.get('detail'))}"]
    lines = [f"{one['id']}: {one['verdict']}: {plain(one['why'])}"]
    lines += [f"  held by {plain(hold['rule'])}: {plain(hold['why'])}" for hold in one["holds"]]
    rows = [
        (
            step["channel"],
            step["verdict"],
            step.get("to"),
            step.get("provider"),
            step.get("subject") or step.get("text"),
            step["why"],
        )
        for step in one["steps"]
    ]
    width = terminal_width()
    titles = ("channel", "verdict", "to", "provider", "says", "why")
    return lines + ["  " + line for line in table(titles, rows, width - 2 if width else None)] if rows else lines
