"""Send Telegram messages, and tell honestly what came of each."""

from __future__ import annotations

import asyncio

from functions.deliver_telegram.conversation import Conversation
from functions.deliver_telegram.parts import compose
from shared.outcomes import Letter, Outcome
from shared.telegram.answers import PROVIDER, refuse
from shared.telegram.bot_api import BotApi

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

    async def close(self) -> None:
        """Let go of connections."""
        await self._api.close()

    def _until(self) -> float:
        return asyncio.get_running_loop().time() + self.deadline_seconds
