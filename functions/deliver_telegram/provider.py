"""Send Telegram messages, and tell honestly what came of each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from functions.deliver_telegram.answers import PROVIDER, refuse
from functions.deliver_telegram.bot_api import BotApi
from functions.deliver_telegram.conversation import Conversation, take_back
from functions.deliver_telegram.parts import compose
from shared.outcomes import Letter, Outcome

MOST_PARTS = 10  # more is no message: Telegram lets one chat have about one in a second


class TelegramProvider:
    """A bot. Telegram knows no idempotency key: what is in doubt cannot be looked up, and is told as ambiguous."""

    name = PROVIDER
    calls_at_once = 30  # about what Telegram takes from one bot in a second

    def __init__(self, token: str, base_url: str, deadline_seconds: float = 20) -> None:
        """Read the settings; connect to nothing yet.

        Raises:
            SettingMissing: the token or the address is malformed.
        """
        self.deadline_seconds: float = deadline_seconds
        self._api = BotApi(token, base_url)

    async def send(self, letter: Letter) -> Outcome:
        """Make one attempt, within the deadline, whatever Telegram does."""
        parts = compose(letter.subject, letter.text)
        if not parts:
            return refuse("empty", "there are no words to send")
        if len(parts) > MOST_PARTS:
            return refuse("too long", f"the text is longer than {MOST_PARTS} messages")
        return await Conversation(self._api, letter.address, letter.options, self._until()).say(parts)

    async def delete(self, chat: str, message_ids: Sequence[int]) -> bool:
        """Take back what was sent, within the deadline; tell whether none of it is in the chat any more.

        Done twice it is true twice. False where Telegram refuses, as it does after 48 hours, or does not answer.
        """
        return await take_back(self._api, chat, message_ids, self._until())

    async def close(self) -> None:
        """Let go of connections."""
        await self._api.close()

    def _until(self) -> float:
        return asyncio.get_running_loop().time() + self.deadline_seconds
