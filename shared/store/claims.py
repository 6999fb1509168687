"""Claims: the lease and token under which one attempt is made, taken and settled by the set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from shared.errors import DatabaseUnavailable, Transient
from shared.quick import quick
from shared.statuses import Channel
from shared.store.claim_sql import ADDRESS, GIVE_BACK, JUDGE, LEASE_SECONDS, POSTPONE, RECORD, TAKE
from shared.store.columns import Booleans, Column, Floats, Integers, Texts, Uuids, transposed
from shared.store.consequences import draw, have_consequences
from shared.store.database import Database
from shared.store.places import seat
from shared.store.recorded import Command, Recorded

__all__ = ["ADDRESS", "LEASE_SECONDS", "Claim", "Claims", "Command", "Recorded", "Verdict"]


class Verdict(StrEnum):
    """What a command finds when it asks for its claim."""

    CLAIMED = "claimed"  # the attempt is yours, under the returned token
    EARLY = "early"  # due later
    LEASED = "leased"  # somebody else works on it; the sweep looks when the lease ends
    RECORDED = "recorded"  # its outcome is recorded; announce it again
    EXPIRED = "expired"  # too late, or called back; the saga must look
    STALE = "stale"  # an older attempt or epoch, or finished: nothing to do
    MISSING = "missing"  # there is no such delivery
    CAPPED = "capped"  # a cap must decide first; never an answer


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The answer to one command. `remaining_seconds` is until it is due; `withheld` why it must not be sent.

    `word` is the statement's own, which may say more than the verdict: whether a lease was lost, and to whose quiet.
    `in_doubt_for_seconds` is the age of the first attempt of this epoch of which nobody knows whether it was taken.
    """

    verdict: Verdict
    token: UUID | None = None
    outcome: str | None = None
    tenant: str = ""
    user_id: str = ""
    address: str | None = field(default=None, repr=False)
    content: dict[str, Any] = field(default_factory=dict, repr=False)
    withheld: str | None = None
    remaining_seconds: float = 0.0
    traceparent: str | None = None
    accepted_seconds_ago: float = 0.0  # since it was due, where it was posted for later
    expires_in_seconds: float = 86_400.0
    collapse_key: str | None = None
    in_doubt_for_seconds: float | None = None
    word: str = ""


_VERDICTS = {
    "takeover": Verdict.CLAIMED,
    "lost": Verdict.RECORDED,
    "quiet": Verdict.EARLY,  # the person is left alone now: it waits, and is due when that ends
    "shelved": Verdict.EARLY,  # the same, of a claim that nobody came back from
}


class Claims:
    """The room of the deliver steps."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, channel: Channel, commands: Sequence[Command]) -> list[Claim | Exception]:
        """Ask for a set of attempts; a copy within the set finds the lease of the first.

        The statement that claims also re-checks preference and suppression, and hands out contact and content. What
        fails after it is the answer to the rest alone: nobody else would know of the claims that it took.
        """
        first: dict[Command, int] = {}
        for place, command in enumerate(commands):
            first.setdefault(command, place)
        rows = sorted(first, key=lambda row: (row.notification_id.int, row.attempt, row.epoch))
        found: dict[Command, Claim | Exception] = {**await self._take(channel, rows)}
        rest = [row for row in rows if row not in found]
        if rest:
            found |= await self._judge_safely(channel, rest)
            found |= await self._seat_safely(channel, [row for row in rest if _is_capped(found.get(row))])
        missing, leased = Claim(verdict=Verdict.MISSING), Claim(verdict=Verdict.LEASED)
        return [
            found.get(command, missing) if first[command] == place else leased for place, command in enumerate(commands)
        ]

    async def _judge_safely(self, channel: Channel, rows: Sequence[Command]) -> Mapping[Command, Claim | Exception]:
        try:
            return await self._judge(channel, rows)
        except Transient as everybodys:
            return dict.fromkeys(rows, everybodys)
        except Exception as failure:  # one by one: a row that cannot be judged never changes another's fate
            if len(rows) == 1:
                return {rows[0]: failure}
            return {row: claim for one in rows for row, claim in (await self._judge_safely(channel, [one])).items()}

    async def _seat_safely(self, channel: Channel, rows: Sequence[Command]) -> Mapping[Command, Claim | Exception]:
        """Let the caps decide about what has no place yet, and ask again."""
        if not rows:
            return {}
        try:
            await self._seat(channel, rows)
        except Exception as failure:
            return dict.fromkeys(rows, failure if isinstance(failure, Transient) else DatabaseUnavailable("places"))
        return await self._judge_safely(channel, rows)

    async def _seat(self, channel: Channel, rows: Sequence[Command]) -> None:
        async with self._database.transaction() as connection:
            await seat(connection, channel, rows)

    async def _take(self, channel: Channel, rows: Sequence[Command]) -> dict[Command, Claim]:
        return await self._ask(TAKE[channel], channel, rows)

    async def _judge(self, channel: Channel, rows: Sequence[Command]) -> dict[Command, Claim]:
        return await self._ask(JUDGE[channel], channel, rows)

    async def _ask(self, statement: str, channel: Channel, rows: Sequence[Command]) -> dict[Command, Claim]:
        values = (
            channel.value,
            Uuids([row.notification_id for row in rows]),
            Integers([row.attempt for row in rows]),
            Integers([row.epoch for row in rows]),
            Uuids([uuid4() for _ in rows]),
        )
        return {Command(row[0], row[-2], row[-1]): _claim(row) for row in await self._database.fetch(statement, values)}

    async def record(self, channel: Channel, items: Sequence[Recorded]) -> None:
        """Keep the outcomes of a set of attempts; also those whose claim was lost to somebody else."""
        rows = sorted(items, key=lambda item: (item.command.notification_id.int, item.token.int))
        telling = [row for row in rows if have_consequences(row.outcome)]
        if not telling:
            await self._database.run(RECORD, [channel.value, *_columns(rows)])
            return
        async with self._database.transaction() as connection:
            await connection.execute(RECORD, [channel.value, *_columns(rows)])
            await draw(connection, channel, telling)

    async def give_back(self, channel: Channel, unused: Sequence[tuple[Command, UUID]]) -> None:
        """Undo claims under which nothing was called."""
        rows = sorted((command.notification_id, token) for command, token in unused)
        await self._database.run(GIVE_BACK, (channel.value, *transposed((Uuids, Uuids), rows)))

    async def postpone(self, channel: Channel, command: Command, *, seconds: float, why: str) -> float:
        """Let an attempt wait for its provider; no try is used up, and what waits already waits no longer.

        Return in how many seconds it is due now: whatever brings it has to come then, not when it was asked for.
        """
        line = [{"what": "deferred", "why": why, "channel": channel.value, "detail": {"attempt": command.attempt}}]
        key = (command.notification_id, channel.value, command.attempt, command.epoch)
        rows = await self._database.fetch(POSTPONE, (why, seconds, *key, Jsonb(line)))
        return float(rows[0][0]) if rows else seconds


def _is_capped(claim: Claim | Exception | None) -> bool:
    return isinstance(claim, Claim) and claim.verdict is Verdict.CAPPED


def _claim(row: tuple[Any, ...]) -> Claim:
    verdict = _VERDICTS.get(row[1]) or Verdict(row[1])
    return Claim(
        verdict=verdict,
        token=row[2],
        outcome="ambiguous" if row[1] == "lost" else row[3],
        tenant=row[4],
        user_id=row[5],
        address=row[6],
        content=row[7] or {},
        withheld=row[8],
        remaining_seconds=row[9] or 0.0,
        traceparent=row[10],
        accepted_seconds_ago=row[11],
        expires_in_seconds=row[12],
        collapse_key=row[13],
        in_doubt_for_seconds=row[14],
        word=row[1],
    )


def _columns(rows: Sequence[Recorded]) -> list[Column]:
    return [
        Uuids([row.command.notification_id for row in rows]),
        Uuids([row.token for row in rows]),
        Texts([row.tenant for row in rows]),
        Integers([row.command.epoch for row in rows]),
        Integers([row.command.attempt for row in rows]),
        Texts([row.outcome.kind.value for row in rows]),
        Booleans([row.withheld for row in rows]),
        Texts([row.outcome.code for row in rows]),
        Texts([row.outcome.reason for row in rows]),
        Texts([row.outcome.provider for row in rows]),
        Texts([row.outcome.provider_message_id for row in rows]),
        Floats([row.outcome.retry_after_seconds for row in rows]),
        Texts([row.outcome.choice for row in rows]),
        Floats([row.took_seconds for row in rows]),
    ]
