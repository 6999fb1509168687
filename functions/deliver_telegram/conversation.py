"""One letter on its way into one chat: its parts in order, and what to do when a later one fails."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared.http_call import Silence
from shared.outcomes import Outcome
from shared.statuses import OutcomeKind
from shared.telegram.answers import judge, judge_silence
from shared.telegram.bot_api import BotApi
from shared.telegram.deleting import take_back

UNDOING_SECONDS = 5.0
"""Kept free of waiting, so that what was said can still be taken back."""

SHORTEST_PAUSE_SECONDS = 1.0
"""A pause of nothing would be none."""


class Conversation:
    """An attempt that is all or nothing, for the frame repeats a letter as a whole.

    Each part is a message of its own, and a later one may fail when earlier ones are in the chat. A pause that
    Telegram asks for is then made here, if there is time for it: every part is sent once. Else what was said is
    deleted again, and the outcome is that of the part that failed: nothing is there, so a repetition repeats nothing.
    Where that does not succeed the person has a piece, and an outcome that would be repeated is ambiguous: it is
    counted, and whether to send again is what the workflow's `on_ambiguous` says. What is permanent stays so.
    """

    def __init__(self, api: BotApi, chat: str, options: Mapping[str, Any], until: float) -> None:
        self._api = api
        self._chat = chat
        self._moved_to: str | None = None
        self._until = until
        self._is_silent = bool(options.get("silent", False))
        self._shows_links = bool(options.get("link_preview", True))
        self._taken: list[int | None] = []

    async def say(self, parts: Sequence[str]) -> Outcome:
        """Send the parts, and tell what came of the letter. There is at least one."""
        for part in parts:
            outcome = await self._send(part)
            if outcome.kind is not OutcomeKind.ACCEPTED:
                outcome = await self._break_off(outcome, len(parts)) if self._taken else outcome
                return replace(outcome, moved_to=self._moved_to)
        return replace(outcome, provider_message_id=self._name(), moved_to=self._moved_to)

    async def _send(self, part: str) -> Outcome:
        while True:
            reply = await self._api.call("sendMessage", self._fields(part), self._until)
            if isinstance(reply, Silence):
                return judge_silence(reply)
            if reply.moved_to is not None and self._moved_to is None:  # once: it will not move twice in a moment
                self._chat = self._moved_to = reply.moved_to
                self._taken = [None] * len(self._taken)  # a supergroup numbers its messages anew
                continue
            outcome = judge(reply)
            if outcome.kind is OutcomeKind.ACCEPTED:
                self._taken.append(reply.message_id)
            elif pause := self._pause(outcome):
                await asyncio.sleep(pause)
                continue
            return outcome

    def _fields(self, part: str) -> dict[str, Any]:
        fields: dict[str, Any] = {"chat_id": self._chat, "text": part, "parse_mode": "HTML"}
        if self._is_silent or self._taken:  # one letter makes one sound
            fields["disable_notification"] = True
        if not self._shows_links:
            fields["link_preview_options"] = {"is_disabled": True}
        return fields

    def _pause(self, outcome: Outcome) -> float | None:
        asked = outcome.retry_after_seconds
        if outcome.kind is not OutcomeKind.THROTTLED or asked is None or not self._taken:
            return None
        pause = max(asked, SHORTEST_PAUSE_SECONDS)
        left = self._until - asyncio.get_running_loop().time()
        return pause if pause + UNDOING_SECONDS <= left else None

    async def _break_off(self, outcome: Outcome, of: int) -> Outcome:
        said = f"{len(self._taken)} of {of} parts had been taken"
        if outcome.kind is OutcomeKind.AMBIGUOUS:
            return replace(outcome, reason=f"{outcome.reason}; {said}")
        if await take_back(self._api, self._chat, self._taken, self._until):
            return replace(outcome, reason=f"{outcome.reason}; {said}, and were deleted")
        kind = outcome.kind if outcome.kind is OutcomeKind.PERMANENT else OutcomeKind.AMBIGUOUS
        return replace(outcome, kind=kind, reason=f"{outcome.reason}; {said}, and are still there")

    def _name(self) -> str | None:
        known = [str(key) for key in self._taken if key is not None]
        return f"{self._chat}:{','.join(known)}" if known else None
