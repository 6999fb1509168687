"""Take messages out of a Telegram chat again. Telegram allows it for 48 hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.http_call import Silence
from shared.outcomes import Outcome
from shared.statuses import OutcomeKind
from shared.telegram.answers import ACCEPTED, Verdict, is_gone, judge, judge_silence, write
from shared.telegram.bot_api import BotApi

DELETED = replace(ACCEPTED, reason="it was deleted from the chat")
TOO_LATE = Verdict(
    kind=OutcomeKind.PERMANENT, reason="Telegram does not delete it any more: it does so for 48 hours", word="delete"
)
UNNUMBERED = Verdict(
    kind=OutcomeKind.PERMANENT, reason="the chat has moved since, and its messages have other numbers", word="moved"
)
WORST_FIRST = (OutcomeKind.PERMANENT, OutcomeKind.TRANSIENT, OutcomeKind.THROTTLED, OutcomeKind.ACCEPTED)


async def delete(api: BotApi, chat: str, message_ids: Sequence[int | None], until: float) -> Outcome:
    """Delete messages of a chat; accepted when none of them is there any more, by us or by somebody before us.

    Deleted twice is deleted, so nothing about it is ambiguous: what nobody answered is tried again.
    """
    return worst([await _delete_one(api, chat, key, until) for key in message_ids])


async def delete_named(api: BotApi, names: Sequence[str], until: float) -> Outcome:
    """Delete messages by what an attempt keeps of them: the chat, a colon, and the numbers of the parts."""
    outcomes = []
    for name in names:
        chat, _, numbers = name.rpartition(":")
        known = [int(number) for number in numbers.split(",") if number.isdigit()]
        outcomes.append(await delete(api, chat, known, until) if known else write(UNNUMBERED, UNNUMBERED.word))
    return worst(outcomes)


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Choose what is told of several."""
    return min(outcomes, key=lambda outcome: WORST_FIRST.index(outcome.kind))


async def take_back(api: BotApi, chat: str, message_ids: Sequence[int | None], until: float) -> bool:
    """Delete messages of a chat; tell whether none of them is there any more."""
    return (await delete(api, chat, message_ids, until)).kind is OutcomeKind.ACCEPTED


async def _delete_one(api: BotApi, chat: str, message_id: int | None, until: float) -> Outcome:
    if message_id is None:
        return write(UNNUMBERED, UNNUMBERED.word)
    answer = await api.call("deleteMessage", {"chat_id": chat, "message_id": message_id}, until)
    if isinstance(answer, Silence):
        return replace(judge_silence(answer), kind=OutcomeKind.TRANSIENT)
    if is_gone(answer):
        return write(DELETED, str(answer.status))
    outcome = judge(answer)
    if outcome.kind is OutcomeKind.AMBIGUOUS:
        return replace(outcome, kind=OutcomeKind.TRANSIENT)
    return write(TOO_LATE, f"{answer.code} delete") if answer.code == 400 else outcome
