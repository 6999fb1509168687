"""The providers that can take a message back. Whatever goes wrong with one is an outcome."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence, Set
from typing import Protocol

from shared.outcomes import Outcome
from shared.runtime import Resources
from shared.statuses import Channel, OutcomeKind
from shared.telegram.bot_api import BotApi
from shared.telegram.deleting import delete_named

DEADLINE_SECONDS = 20.0

log = logging.getLogger(__name__)


class Undoer(Protocol):
    """One provider of one channel. To ask it twice is to have asked it once."""

    async def undo(self, message_ids: Sequence[str], until: float) -> Outcome:
        """Take messages back by the provider's own names, until that time on the loop's clock."""

    async def close(self) -> None:
        """Let go of connections."""


class TelegramUndoer:
    """Delete from chats."""

    def __init__(self, api: BotApi) -> None:
        self._api = api

    async def undo(self, message_ids: Sequence[str], until: float) -> Outcome:
        """Delete every part of every message."""
        return await delete_named(self._api, message_ids, until)

    async def close(self) -> None:
        """Let go of connections."""
        await self._api.close()


class Undoers:
    """Those of this installation."""

    def __init__(self, undoers: Mapping[Channel, Undoer], deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._undoers = undoers
        self._deadline_seconds = deadline_seconds

    @classmethod
    def of(cls, resources: Resources) -> Undoers:
        """Make them from the settings; connect to nothing yet.

        Raises:
            SettingMissing: one is malformed.
        """
        settings = resources.settings
        if settings.telegram_bot_token is None or Channel.TELEGRAM not in settings.served():
            return cls({})
        api = BotApi(settings.telegram_bot_token.get_secret_value(), settings.telegram_base_url)
        return cls({Channel.TELEGRAM: TelegramUndoer(api)})

    @property
    def channels(self) -> Set[Channel]:
        """The channels that have one."""
        return self._undoers.keys()

    async def undo(self, channel: Channel, message_ids: Sequence[str]) -> Outcome:
        """Ask a provider to take messages back, within the deadline."""
        until = asyncio.get_running_loop().time() + self._deadline_seconds
        try:
            async with asyncio.timeout_at(until + 1):  # the provider's own deadline comes first
                return await self._undoers[channel].undo(message_ids, until)
        except TimeoutError:
            return _unknown("deadline", "no answer within the deadline")
        except Exception as bug:
            log.error("a message could not be taken back", exc_info=bug, extra={"channel": channel.value})
            return _unknown(type(bug).__name__, "the adapter failed on the way")

    async def close(self) -> None:
        """Let go of connections."""
        for undoer in self._undoers.values():
            await undoer.close()


def _unknown(code: str, reason: str) -> Outcome:
    return Outcome(kind=OutcomeKind.TRANSIENT, code=code, reason=reason, provider="carillon", provider_at_fault=True)
