"""A Telegram message of several parts is there as a whole, or not at all, or told as ambiguous."""

from __future__ import annotations

import time

import pytest

from infrastructure.sandbox.behaviours import Behaviour
from infrastructure.sandbox.http import Act
from infrastructure.sandbox.telegram import GROUP, KEEPING_CHAT, MIGRATED, PAUSE_SECONDS, SUPERGROUP, refusal
from shared.statuses import OutcomeKind
from tests.contract.bot_api import CHAT, client, letter, sandbox, until

ACCEPTED, PERMANENT, TRANSIENT = OutcomeKind.ACCEPTED, OutcomeKind.PERMANENT, OutcomeKind.TRANSIENT
THROTTLED, AMBIGUOUS = OutcomeKind.THROTTLED, OutcomeKind.AMBIGUOUS
TAKEN = Behaviour.ACCEPTED
THREE_PARTS = "\n\n".join(name * 3000 for name in "abc")
LONG_PAUSE = refusal(429, "Too Many Requests: retry after 60", retry_after=60)


async def test_the_parts_of_a_long_message_arrive_in_order_and_make_one_sound() -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        outcome = await provider.send(letter(text=THREE_PARTS))

        assert (outcome.kind, outcome.provider_message_id) == (ACCEPTED, f"{CHAT}:1,2,3")
        assert [text[0] for text in stage.texts()] == ["a", "b", "c"]
        silent = ["disable_notification" in message.content.headers for message in stage.mailbox.newest()]
        assert silent == [True, True, False]


@pytest.mark.parametrize(
    ("act", "kind", "code", "wait"),
    [
        (Behaviour.TEMPFAIL, TRANSIENT, "502", None),
        (Behaviour.THROTTLED_BARE, THROTTLED, "429", None),
        (LONG_PAUSE, THROTTLED, "429", 60),
        (Behaviour.FULL, PERMANENT, "400", None),
    ],
)
async def test_when_a_later_part_is_refused_the_earlier_ones_are_deleted_and_nothing_is_repeated(
    act: Act, kind: OutcomeKind, code: str, wait: float | None
) -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        stage.script(TAKEN, TAKEN, act)
        outcome = await provider.send(letter(text=THREE_PARTS))

        assert (outcome.kind, outcome.code, outcome.retry_after_seconds) == (kind, f"telegram {code}", wait)
        assert outcome.reason.endswith("2 of 3 parts had been taken, and were deleted")
        assert outcome.provider_message_id is None
        assert list(stage.room.calls) == [CHAT] * 3
        assert stage.texts() == []


@pytest.mark.parametrize(
    ("act", "kind"),
    [(Behaviour.TEMPFAIL, AMBIGUOUS), (LONG_PAUSE, AMBIGUOUS), (Behaviour.FULL, PERMANENT)],
)
async def test_what_cannot_be_deleted_makes_ambiguous_what_would_be_repeated(act: Act, kind: OutcomeKind) -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        stage.script(TAKEN, act, chat=KEEPING_CHAT)
        outcome = await provider.send(letter(KEEPING_CHAT, THREE_PARTS))

        assert outcome.kind is kind
        assert outcome.reason.endswith("1 of 3 parts had been taken, and are still there")
        assert len(stage.texts(KEEPING_CHAT)) == 1


@pytest.mark.parametrize("act", [Behaviour.CUT, Behaviour.RESET, Behaviour.GARBAGE])
async def test_when_nobody_knows_of_a_later_part_nobody_knows_of_the_message(act: Act) -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        stage.script(TAKEN, act)
        outcome = await provider.send(letter(text=THREE_PARTS))

        assert outcome.kind is AMBIGUOUS
        assert outcome.reason.endswith("1 of 3 parts had been taken")
        assert list(stage.room.calls) == [CHAT] * 2


async def test_a_short_pause_between_parts_is_made_and_every_part_is_sent_once() -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        stage.script(TAKEN, refusal(429, "Too Many Requests: retry after 1", retry_after=1))
        began = time.monotonic()
        outcome = await provider.send(letter(text=THREE_PARTS))
        took = time.monotonic() - began

        assert outcome.kind is ACCEPTED
        assert [text[0] for text in stage.texts()] == ["a", "b", "c"]
        assert 1 <= took < 3


async def test_a_pause_that_leaves_no_time_to_undo_is_not_made() -> None:
    async with sandbox() as stage, client(stage.url, deadline_seconds=PAUSE_SECONDS + 4) as provider:
        stage.script(TAKEN, Behaviour.THROTTLED)
        outcome = await provider.send(letter(text=THREE_PARTS))

        assert (outcome.kind, outcome.retry_after_seconds) == (THROTTLED, PAUSE_SECONDS)
        assert stage.texts() == []


async def test_a_pause_of_nothing_is_no_busy_loop() -> None:
    async with sandbox() as stage, client(stage.url, deadline_seconds=7) as provider:
        stage.script(TAKEN, *[refusal(429, "Too Many Requests", retry_after=0)] * 100)
        outcome = await provider.send(letter(text=THREE_PARTS))

        assert outcome.kind is THROTTLED
        assert 3 <= len(stage.room.calls) <= 5


async def test_all_parts_share_one_deadline() -> None:
    async with sandbox() as stage, client(stage.url, deadline_seconds=1.5) as provider:
        stage.script(Behaviour.SLOW, Behaviour.SLOW)
        began = time.monotonic()
        outcome = await provider.send(letter(text=THREE_PARTS))

        assert outcome.kind is AMBIGUOUS
        assert 1.4 < time.monotonic() - began < 3
        await until(lambda: stage.connections == 0)


async def test_later_parts_follow_a_group_that_has_moved() -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        outcome = await provider.send(letter(GROUP, THREE_PARTS))

        assert (outcome.kind, outcome.moved_to) == (ACCEPTED, SUPERGROUP)
        assert list(stage.room.calls) == [GROUP, *[SUPERGROUP] * 3]
        assert len(stage.texts(SUPERGROUP)) == 3


async def test_what_was_said_before_a_group_moved_is_not_taken_for_deleted() -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        stage.script(TAKEN, MIGRATED)
        stage.script(Behaviour.TEMPFAIL, chat=SUPERGROUP)
        outcome = await provider.send(letter(text=THREE_PARTS))

        assert (outcome.kind, outcome.moved_to) == (AMBIGUOUS, SUPERGROUP)
        assert len(stage.texts()) == 1


async def test_a_text_longer_than_ten_messages_is_refused_without_a_call() -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        outcome = await provider.send(letter(text="x" * 45_000))

        assert (outcome.kind, outcome.code) == (PERMANENT, "telegram too long")
        assert list(stage.room.calls) == []
