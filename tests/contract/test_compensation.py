"""A compensation that asks a provider, over a store of either kind: undone, tried again, given up, corrected."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

import pytest

from functions.compensate.compensating import Compensating
from functions.compensate.providers import Undoers
from functions.compensate.undoing import MOST_TRIES, correction_id
from shared.broker import Broker, Message
from shared.broker.topology import COMPENSATIONS, EVENTS, PARKING_LOT
from shared.errors import DatabaseUnavailable
from shared.events import decode
from shared.outbox import write
from shared.outcomes import Outcome
from shared.runtime import Resources
from shared.saga import CompensationOwed, Decision, Entry, Plan, Routed, Saga, Strategy, What
from shared.settings import Settings
from shared.statuses import Channel, DeliveryStatus, NotificationStatus, OutcomeKind
from shared.step import Frame
from shared.store.claims import Command, Recorded
from shared.store.directory import User
from tests.contract.stage import EMAIL, TENANT, USER, Stage
from tests.fakes import HoldingBroker
from tests.world import claims_of

ACCEPTED, PERMANENT, TRANSIENT = OutcomeKind.ACCEPTED, OutcomeKind.PERMANENT, OutcomeKind.TRANSIENT
THROTTLED, AMBIGUOUS = OutcomeKind.THROTTLED, OutcomeKind.AMBIGUOUS
TELEGRAM = Channel.TELEGRAM
FAILED, COMPENSATING = NotificationStatus.FAILED, NotificationStatus.COMPENSATING


@dataclass
class ScriptedUndoer:
    """A provider that takes messages back as it is told; it remembers what it was asked."""

    answers: list[OutcomeKind | Exception] = field(default_factory=list)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    gate: asyncio.Event | None = None
    retry_after_seconds: float | None = None

    async def undo(self, message_ids: Sequence[str], until: float) -> Outcome:
        """Give the next answer; at last everything is deleted."""
        self.asked.append(tuple(message_ids))
        if self.gate:
            await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else ACCEPTED
        if isinstance(answer, Exception):
            raise answer
        return Outcome(
            kind=answer, code="said", reason=f"it said {answer}", retry_after_seconds=self.retry_after_seconds
        )

    async def close(self) -> None:
        """Nothing is held."""


class Room:
    """The step that compensates, over a store of either kind."""

    def __init__(self, stage: Stage, *answers: OutcomeKind | Exception) -> None:
        self.stage = stage
        self.undoer = ScriptedUndoer(list(answers))
        self.broker = HoldingBroker()
        settings = Settings(api_keys=None, host="127.0.0.1")
        self.resources = Resources(settings=settings, store=stage.store, broker=cast(Broker, self.broker))
        undoers = Undoers({TELEGRAM: self.undoer}, deadline_seconds=0.2)
        takes = frozenset({self.event_of(UUID(int=0)).type})
        self.frame = Frame("compensate", takes, Compensating(self.resources, undoers), self.resources)

    @staticmethod
    def event_of(key: UUID):  # type: ignore[no-untyped-def]
        """Write the event that asks for a compensation."""
        saga = cast(Saga, About(key))
        return decode(write("orchestrate", saga, CompensationOwed()).body)

    async def sent(
        self, *channels: Channel, number: int = 1, kinds: Sequence[OutcomeKind] = (ACCEPTED,), **plan: object
    ) -> UUID:
        """Send a notification on some channels, and decide to take it back."""
        store = self.stage.store
        await store.directory.put_users(TENANT, [User(id=USER, email="one@example.test", telegram="4711")])
        key = await self.stage.keep(number)
        for place, channel in enumerate(channels):
            if place == 0:
                strategy = {"strategy": Strategy.ALL} if len(channels) > 1 else {}
                await self.stage.fold(key, Routed(plan=plan_of({**strategy, **plan}), wanted=channels))
            for attempt, kind in enumerate(kinds, 1):
                await self._attempt(Command(key, attempt, 0), channel, kind)
        await self._give_up(key)
        return key

    async def _attempt(self, command: Command, channel: Channel, kind: OutcomeKind) -> None:
        store = self.stage.store
        (claim,) = claims_of(await store.claims.claim(channel, [command]))
        assert claim.token is not None
        name = f"4711:{command.attempt}" if kind is ACCEPTED else None
        said = Outcome(kind=kind, code="said", provider="telegram", provider_message_id=name)
        recorded = Recorded(command=command, token=claim.token, tenant=TENANT, outcome=said, took_seconds=0.1)
        await store.claims.record(channel, [recorded])
        await self.stage.fold_attempt(command, claim.token)
        await self.stage.turn_clock(3)

    async def _give_up(self, key: UUID) -> None:
        async with self.stage.store.sagas.transaction() as sagas:
            change = (await sagas.lock([key]))[key]
            after = change.before.to(COMPENSATING, "it was called back")
            change.take(Decision(saga=after, entries=(Entry(what=What.GIVING_UP, why="it was called back"),)))
            await sagas.save([change])

    async def compensate(self, *keys: UUID) -> list[int]:
        """Hand over compensations as one set."""
        return await self.frame.take([self.event_of(key) for key in keys])

    async def status(self, key: UUID) -> NotificationStatus:
        """Read where a notification stands."""
        return (await self.stage.saga(key)).status

    async def told(self, key: UUID) -> list[tuple[str, str | None, str]]:
        """List what the timeline tells of the compensation."""
        document = await self.stage.store.views.notification(TENANT, key)
        assert document is not None
        kinds = (What.COMPENSATED, What.NOT_UNDONE)
        return [(e["what"], e.get("channel"), e["why"]) for e in document["timeline"] if e["what"] in kinds]

    def sent_to(self, queue: str) -> list[Message]:
        """List what was published to a queue."""
        return [message for message in self.broker.published if message.queue == queue]


@dataclass(frozen=True)
class About:
    """What the event of a compensation is about."""

    id: UUID
    tenant: str = TENANT
    epoch: int = 0
    traceparent: str | None = None


def plan_of(said: dict[str, object]) -> Plan:
    return Plan(**said)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    """What the provider answers, one compensation after the other; how often it is asked; and what is told then."""

    answers: tuple[OutcomeKind | Exception, ...]
    asked: int
    status: NotificationStatus
    told: tuple[str, str] | None
    delivery: DeliveryStatus
    rounds: int = 1


SENT, RETRACTED = DeliveryStatus.SENT, DeliveryStatus.RETRACTED
CASES = {
    "it is deleted": Case((ACCEPTED,), 1, FAILED, ("compensated", "taken back"), RETRACTED),
    "it is refused": Case((PERMANENT,), 1, FAILED, ("not_undone", "it said permanent"), SENT),
    "the provider is away": Case((TRANSIENT,), 1, COMPENSATING, None, SENT),
    "it asks for a pause": Case((THROTTLED,), 1, COMPENSATING, None, SENT),
    "nobody can tell": Case((AMBIGUOUS,), 1, COMPENSATING, None, SENT),
    "the adapter fails": Case((ValueError(),), 1, COMPENSATING, None, SENT),
    "away, then deleted": Case((TRANSIENT, ACCEPTED), 2, FAILED, ("compensated", "taken back"), RETRACTED, 2),
    "away, then refused": Case((TRANSIENT, PERMANENT), 2, FAILED, ("not_undone", "it said permanent"), SENT, 2),
    "away for good": Case(
        (TRANSIENT,) * 20,
        MOST_TRIES,
        FAILED,
        ("not_undone", f"tried {MOST_TRIES} times: it said transient"),
        SENT,
        MOST_TRIES + 3,
    ),
    "asked again when it is over": Case((ACCEPTED,), 1, FAILED, ("compensated", "taken back"), RETRACTED, 3),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
async def test_each_answer_of_a_provider_is_undone_tried_again_or_told(stage: Stage, case: Case) -> None:
    room = Room(stage, *case.answers)
    key = await room.sent(TELEGRAM)

    answers = [answer for _ in range(case.rounds) for answer in await room.compensate(key)]

    assert set(answers) == {204}
    assert room.undoer.asked == [("4711:1",)] * case.asked
    assert await room.status(key) is case.status
    assert await room.told(key) == ([(case.told[0], "telegram", case.told[1])] if case.told else [])
    assert (await stage.delivery(key, TELEGRAM)).status is case.delivery
    assert len(room.sent_to(PARKING_LOT)) == (case.rounds - case.asked + 1 if case.status is FAILED else 0)


async def test_what_passes_is_asked_for_again_after_a_pause_that_grows_or_that_the_provider_names(stage: Stage) -> None:
    room = Room(stage, *[TRANSIENT] * 3, THROTTLED)
    key = await room.sent(TELEGRAM)

    for _ in range(3):
        await room.compensate(key)
    room.undoer.retry_after_seconds = 1000
    await room.compensate(key)

    assert [message.delay_seconds for message in room.sent_to(COMPENSATIONS)] == [4, 15, 60, 900]


async def test_a_crash_between_the_call_and_its_record_asks_again_and_ends_once(stage: Stage) -> None:
    room = Room(stage)
    key = await room.sent(TELEGRAM)
    room.undoer.gate = asyncio.Event()
    lost = asyncio.create_task(room.compensate(key))
    async with asyncio.timeout(5):
        while not room.undoer.asked:  # noqa: ASYNC110 - another task's call
            await asyncio.sleep(0.005)
    lost.cancel()
    await asyncio.gather(lost, return_exceptions=True)

    room.undoer.gate = None
    again = Room(stage)
    await again.compensate(key)
    await again.compensate(key)

    assert (len(room.undoer.asked), len(again.undoer.asked)) == (1, 1)
    assert await room.status(key) is FAILED
    assert len(await stage.store.dead_letters.listing(TENANT)) == 1


async def test_crashes_without_end_end_too(stage: Stage) -> None:
    room = Room(stage)
    key = await room.sent(TELEGRAM)
    for _ in range(MOST_TRIES):
        async with stage.store.sagas.transaction() as sagas:  # what is left of a process that died right after
            change = (await sagas.lock([key]))[key]
            await sagas.begin_undoing([(change.before, TELEGRAM)])

    await room.compensate(key)

    assert (room.undoer.asked, await room.status(key)) == ([], FAILED)
    assert (await room.told(key))[0][2] == f"tried {MOST_TRIES} times: nobody came back"


async def test_one_that_waits_for_its_provider_holds_up_no_other_and_no_connection(stage: Stage) -> None:
    room = Room(stage)
    slow, quick = await room.sent(TELEGRAM, number=1), await room.sent(EMAIL, number=2)
    room.undoer.gate = asyncio.Event()
    answers: list[tuple[int, int]] = []

    taking = asyncio.create_task(room.frame.take([room.event_of(slow), room.event_of(quick)], answers.extend))
    async with asyncio.timeout(5):
        while not answers:  # noqa: ASYNC110 - another task's answer
            await asyncio.sleep(0.005)
        before = await room.status(quick)
        room.undoer.gate.set()
        await taking

    assert (answers, before) == ([(1, 204), (0, 204)], FAILED)
    assert await room.status(slow) is FAILED


async def test_copies_in_one_set_ask_once(stage: Stage) -> None:
    room = Room(stage)
    key = await room.sent(TELEGRAM)

    assert await room.compensate(key, key, key) == [204, 204, 204]
    assert len(room.undoer.asked) == 1


async def test_every_message_that_the_provider_took_is_taken_back(stage: Stage) -> None:
    room = Room(stage)
    key = await room.sent(TELEGRAM, kinds=(AMBIGUOUS, ACCEPTED))

    await room.compensate(key)

    assert room.undoer.asked == [("4711:2",)]
    ((what, _, why),) = await room.told(key)
    assert (what, "earlier attempt may have left another" in why) == ("not_undone", True)


async def test_a_database_that_goes_away_after_the_call_brings_it_again(stage: Stage) -> None:
    room = Room(stage)
    key = await room.sent(TELEGRAM)
    ends = room.frame._work._ends  # type: ignore[attr-defined]
    whole = ends._flush

    async def away(called: object) -> object:
        ends._flush = whole
        raise DatabaseUnavailable("told to be away")

    ends._flush = away
    answers = [*await room.compensate(key), *await room.compensate(key)]

    assert (answers, len(room.undoer.asked)) == ([503, 204], 2)
    assert await room.status(key) is FAILED


async def test_where_nothing_can_be_taken_back_the_workflows_correction_follows_once(stage: Stage) -> None:
    room = Room(stage, PERMANENT)
    key = await room.sent(EMAIL, TELEGRAM, correction="withdrawn")

    for _ in range(2):
        await room.compensate(key)

    saga = await stage.saga(key)
    expected = {channel: correction_id(saga, channel) for channel in (EMAIL, TELEGRAM)}
    assert {channel: why.rpartition(" ")[2] for _, channel, why in await room.told(key)} == {
        channel.value: str(named) for channel, named in expected.items()
    }
    published = [message.id for message in room.sent_to(EVENTS)]
    assert len(set(published)) == 2
    assert len(published) == 4  # a copy derives them again, under the same ids
    async with stage.store.sagas.transaction() as sagas:
        facts = await sagas.facts(list(expected.values()))
    for channel, named in expected.items():
        assert facts[named].workflow == {
            "category": "general",
            "channels": [channel.value],
            "template": "withdrawn",
        }
        assert (facts[named].preferred, facts[named].data["corrects"]) == (channel, str(key))


async def test_what_was_taken_back_or_never_asked_for_needs_no_correction(stage: Stage) -> None:
    room = Room(stage)
    deleted = await room.sent(TELEGRAM, number=1, correction="withdrawn")
    without = await room.sent(EMAIL, number=2)

    await room.compensate(deleted, without)

    assert room.sent_to(EVENTS) == []
    assert [(await room.status(key)) for key in (deleted, without)] == [FAILED, FAILED]


async def test_an_installation_without_a_bot_says_so(stage: Stage) -> None:
    room = Room(stage)
    key = await room.sent(TELEGRAM)
    work = Compensating(room.resources, Undoers({}))
    frame = Frame("compensate", frozenset({room.event_of(key).type}), work, room.resources)

    await frame.take([room.event_of(key)])

    assert await room.told(key) == [("not_undone", "telegram", "this installation has no bot that could delete it")]
