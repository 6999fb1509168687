"""What the WebSocket channel makes of its inbox in every mood: the outcome, and what was written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import pytest

from functions.push_ws.inbox_provider import InboxProvider
from shared.outcomes import Letter, Outcome
from shared.statuses import Channel, OutcomeKind
from shared.step.calling import call_set
from tests.asgi import resources
from tests.contract.inbox_moods import POISON, Mood, moody_store
from tests.fakes import HoldingBroker

ACCEPTED, TRANSIENT, AMBIGUOUS = OutcomeKind.ACCEPTED, OutcomeKind.TRANSIENT, OutcomeKind.AMBIGUOUS
KEY = UUID("5f0c8ab6-5dc4-4c0e-9d7e-3f1d6a2b9c01")
TENANT = "default"


def letter(key: UUID | None = None, text: str = "It is on its way.", *, user: str = "1", epoch: int = 0) -> Letter:
    return Letter(
        notification_id=key or uuid4(),
        tenant=TENANT,
        user_id=user,
        channel=Channel.WEBSOCKET,
        address="",
        subject="Your order",
        text=text,
        idempotency_key=uuid4(),
        event_type="order_shipped",
        epoch=epoch,
    )


class Stage:
    """The provider over an inbox with moods."""

    def __init__(self, *moods: Mood) -> None:
        self.store, self.inbox = moody_store(*moods)
        self.broker = HoldingBroker()
        held = resources(self.store)
        held.broker = self.broker  # type: ignore[assignment]
        self.provider = InboxProvider(held)
        self.provider.deadline_seconds = 0.2 if Mood.HANGS in moods else 15

    async def attempt(self, letters: Sequence[Letter]) -> list[Outcome]:
        """Make one attempt for each, at once, as the frame does."""
        told: dict[int, Outcome | None] = {}
        until = asyncio.get_running_loop().time() + 60
        await call_set(self.provider, letters, told.update, until)
        return [outcome for _, outcome in sorted(told.items()) if outcome]

    async def kept(self, user: str = "1") -> list[str]:
        """List what is in an inbox."""
        return [row.content["message"] for row in self.store.memory.inbox.rows.values() if row.user_id == user]


@dataclass(frozen=True)
class Case:
    """Attempts one after another, each on its mood; the outcomes; and what is in the inbox, asked and told then."""

    moods: tuple[Mood, ...]
    attempts: tuple[tuple[Letter, ...], ...]
    outcomes: tuple[OutcomeKind, ...]
    kept: tuple[str, ...]
    puts: int
    hints: int


WELL, AWAY, LOST, HANGS, POISONED = Mood
ONE = letter(KEY, "one")
OTHER, THIRD = letter(text="two"), letter(text="three")
HUGE = letter(text="x" * 250_000)
ODD = letter(text="\u202eגֿ 👩‍👩‍👧 \u2028 </script> {{x}}")
POISONOUS = letter(text=POISON)
CASES = {
    "it is kept": Case((WELL,), ((ONE,),), (ACCEPTED,), ("one",), 1, 1),
    "put again, it is there once": Case((WELL,), ((ONE,), (ONE,)), (ACCEPTED, ACCEPTED), ("one",), 2, 2),
    "twice at once, it is there once": Case((WELL,), ((ONE, ONE),), (ACCEPTED, ACCEPTED), ("one",), 1, 1),
    "put again with other words, the first stay": Case(
        (WELL,), ((ONE,), (replace(ONE, text="other"),)), (ACCEPTED, ACCEPTED), ("one",), 2, 2
    ),
    "a replay is another message": Case(
        (WELL,), ((ONE,), (replace(ONE, epoch=1),)), (ACCEPTED, ACCEPTED), ("one", "one"), 2, 2
    ),
    "a person whom nobody knows has an inbox": Case((WELL,), ((letter(user="nobody"),),), (ACCEPTED,), (), 1, 1),
    "several of one person are one statement and one hint": Case(
        (WELL,), ((ONE, OTHER, THIRD),), (ACCEPTED,) * 3, ("one", "two", "three"), 1, 1
    ),
    "as long as an event may be": Case((WELL,), ((HUGE,),), (ACCEPTED,), (HUGE.text,), 1, 1),
    "any letters of the world": Case((WELL,), ((ODD,),), (ACCEPTED,), (ODD.text,), 1, 1),
    "no words at all": Case((WELL,), ((letter(text=""),),), (ACCEPTED,), ("",), 1, 1),
    "the database is away": Case((AWAY,), ((ONE,),), (TRANSIENT,), (), 1, 0),
    "the database is away for a whole set": Case((AWAY,), ((ONE, OTHER),), (TRANSIENT,) * 2, (), 1, 0),
    "it comes back": Case((AWAY, WELL), ((ONE,), (ONE,)), (TRANSIENT, ACCEPTED), ("one",), 2, 1),
    "it is kept, and the answer is lost": Case((LOST,), ((ONE,),), (TRANSIENT,), ("one",), 1, 0),
    "the answer is lost, and it is put again": Case(
        (LOST, WELL), ((ONE,), (ONE,)), (TRANSIENT, ACCEPTED), ("one",), 2, 1
    ),
    "the database says nothing": Case((HANGS,), ((ONE,),), (TRANSIENT,), (), 1, 0),
    "one that cannot be written fails alone": Case(
        (POISONED,), ((ONE, POISONOUS, OTHER),), (ACCEPTED, AMBIGUOUS, ACCEPTED), ("one", "two"), 4, 2
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
async def test_each_mood_of_the_inbox_is_one_outcome_and_so_many_writes(case: Case) -> None:
    stage = Stage(*case.moods)

    outcomes = [outcome for letters in case.attempts for outcome in await stage.attempt(letters)]

    assert tuple(outcome.kind for outcome in outcomes) == case.outcomes
    assert sorted(await stage.kept()) == sorted(case.kept)
    assert (stage.inbox.asked["put"], len(stage.broker.hints)) == (case.puts, case.hints)
    assert [o.provider_at_fault for o in outcomes if o.kind is not AMBIGUOUS] == [False] * (
        len(outcomes) - case.outcomes.count(AMBIGUOUS)
    )


async def test_a_hint_names_the_person_and_nothing_else() -> None:
    stage = Stage()

    await stage.attempt([letter(user="7")])

    assert [json.loads(hint) for hint in stage.broker.hints] == [{"tenant": TENANT, "user_id": "7"}]


async def test_a_set_for_many_people_is_one_statement_and_a_hint_for_each() -> None:
    stage = Stage()

    outcomes = await stage.attempt([letter(user=str(number % 40)) for number in range(200)])

    assert {outcome.kind for outcome in outcomes} == {ACCEPTED}
    assert (stage.inbox.asked["put"], len(stage.broker.hints)) == (1, 40)


async def test_a_provider_that_was_closed_has_taken_nothing_and_says_so() -> None:
    stage = Stage()
    await stage.provider.close()

    (outcome,) = await stage.attempt([ONE])

    assert (outcome.kind, await stage.kept()) == (TRANSIENT, [])
