"""Telegram: whether the bot's token is one."""

from __future__ import annotations

from infrastructure.doctor.asking import seconds_from_now, unreachable
from infrastructure.doctor.findings import Finding, World, fault, ok, warning
from shared.errors import SettingMissing
from shared.http_call import Silence
from shared.statuses import Channel
from shared.telegram.bot_api import BotApi

ABOUT = "Telegram"


async def look(world: World) -> list[Finding]:
    """Ask the bot for its own name."""
    known = world.settings
    if known.telegram_bot_token is None or Channel.TELEGRAM not in known.served():
        return []
    try:
        api = BotApi(known.telegram_bot_token.get_secret_value(), known.telegram_base_url)
    except SettingMissing as malformed:
        return [fault(ABOUT, str(malformed), "@BotFather shows it")]
    try:
        answer = await api.call("getMe", {}, seconds_from_now())
    finally:
        await api.close()
    if isinstance(answer, Silence):
        return [unreachable(ABOUT, "Telegram", answer)]
    if answer.is_taken:
        return [ok(ABOUT, "Telegram knows the bot")]
    if answer.code in (401, 404):
        return [fault(ABOUT, f"Telegram does not know the bot ({answer.code})", "see TELEGRAM_BOT_TOKEN")]
    return [warning(ABOUT, f"Telegram answers {answer.status}", "try again later")]
