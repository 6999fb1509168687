"""Deliver one Telegram message.

takes   delivery.requested (channel telegram)
gives   delivery.succeeded | delivery.failed
status  queued -> sending -> sent | retrying | deferred | failed | unknown
"""

from __future__ import annotations

from cloudevents.http import CloudEvent

from functions.deliver_telegram.provider import TelegramProvider
from shared.errors import SettingMissing
from shared.runtime import Resources
from shared.statuses import Channel
from shared.step import answer, delivery


def telegram(resources: Resources) -> TelegramProvider:
    """Make the provider from the settings.

    Raises:
        SettingMissing: there is no bot, or its token is none.
    """
    settings = resources.settings
    if settings.telegram_bot_token is None:
        raise SettingMissing("TELEGRAM_BOT_TOKEN is not set: Telegram needs a bot, which @BotFather makes")
    return TelegramProvider(settings.telegram_bot_token.get_secret_value(), settings.telegram_base_url)


FUNCTION = delivery("deliver-telegram", Channel.TELEGRAM, telegram)


async def deliver_telegram(event: CloudEvent) -> None:
    """Take one event from functions-framework."""
    await answer(event)
