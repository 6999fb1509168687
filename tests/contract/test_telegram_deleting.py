"""A Telegram message is taken back as a whole, and deleting what is gone is no failure."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from infrastructure.sandbox.behaviours import Behaviour, chat_for
from infrastructure.sandbox.telegram import KEEPING_CHAT, TOKEN
from shared.outcomes import Outcome
from shared.statuses import OutcomeKind
from shared.telegram.bot_api import BotApi
from shared.telegram.deleting import delete
from tests.contract.bot_api import CHAT, IMPATIENT_SECONDS, PATIENT_SECONDS, client, letter, sandbox, until

ACCEPTED, PERMANENT, TRANSIENT = OutcomeKind.ACCEPTED, OutcomeKind.PERMANENT, OutcomeKind.TRANSIENT
THROTTLED = OutcomeKind.THROTTLED
THREE_PARTS = "\n\n".join(word * 4000 for word in "abc")


async def deleting(
    url: str, chat: str, ids: Sequence[int | None], deadline_seconds: float = PATIENT_SECONDS
) -> Outcome:
    api = BotApi(TOKEN, url)
    try:
        return await delete(api, chat, ids, asyncio.get_running_loop().time() + deadline_seconds)
    finally:
        await api.close()


async def test_what_was_sent_can_be_deleted_and_deleting_it_again_is_no_failure() -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        await provider.send(letter(text=THREE_PARTS))
        there = len(stage.texts())
        outcomes = [await deleting(stage.url, CHAT, [1, 2, 3]) for _ in range(2)]

        assert [outcome.kind for outcome in outcomes] == [ACCEPTED, ACCEPTED]
        assert (there, stage.texts()) == (3, [])


async def test_what_is_only_partly_deleted_is_not_told_as_deleted() -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        await provider.send(letter(KEEPING_CHAT, THREE_PARTS))
        outcome = await deleting(stage.url, KEEPING_CHAT, [1, 2, 3])

        assert outcome.kind is PERMANENT
        assert "48 hours" in outcome.reason
        assert [text[0] for text in stage.texts(KEEPING_CHAT)] == ["a", "c"]


async def test_what_was_said_before_a_group_moved_has_no_number_by_which_it_could_be_deleted() -> None:
    async with sandbox() as stage:
        outcome = await deleting(stage.url, CHAT, [None])

        assert (outcome.kind, list(stage.room.calls)) == (PERMANENT, [])


REFUSALS = {
    Behaviour.TEMPFAIL: TRANSIENT,
    Behaviour.THROTTLED: THROTTLED,
    Behaviour.BLOCKED: PERMANENT,
    Behaviour.UNTRUSTED: TRANSIENT,
    Behaviour.REFUSED: PERMANENT,
}


@pytest.mark.parametrize(("behaviour", "kind"), REFUSALS.items(), ids=[each.value for each in REFUSALS])
async def test_a_refusal_to_delete_is_told_and_so_is_whether_it_may_be_tried_again(
    behaviour: Behaviour, kind: OutcomeKind
) -> None:
    async with sandbox() as stage:
        assert (await deleting(stage.url, chat_for(behaviour), [1])).kind is kind


async def test_deleting_ends_by_the_deadline_and_nobody_there_is_no_success() -> None:
    async with sandbox() as stage:
        stage.room.moods.latency_seconds = 5
        async with asyncio.timeout(3):
            slow = await deleting(stage.url, CHAT, [1, 2, 3], IMPATIENT_SECONDS)
        url = stage.url
        await until(lambda: stage.connections == 0)
    away = await deleting(url, CHAT, [1])

    assert (slow.kind, away.kind) == (TRANSIENT, TRANSIENT)
