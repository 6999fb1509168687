"""What the Telegram function is told at its start, and what it refuses without telling it again."""

from __future__ import annotations

from typing import Any, cast

import pytest
from pydantic import SecretStr

from functions.deliver_telegram.main import telegram
from shared.broker import Broker
from shared.errors import SettingMissing
from shared.runtime import Resources
from shared.settings import Settings
from shared.store import Store
from tests.fakes import HoldingBroker


def resources(**said: Any) -> Resources:
    settings = Settings.model_construct(**said)
    return Resources(settings=settings, store=Store("postgresql://nobody"), broker=cast(Broker, HoldingBroker()))


@pytest.mark.parametrize(
    ("token", "base_url", "setting"),
    [
        (None, "https://api.telegram.org", "TELEGRAM_BOT_TOKEN"),
        ("", "https://api.telegram.org", "TELEGRAM_BOT_TOKEN"),
        ("open-sesame", "https://api.telegram.org", "TELEGRAM_BOT_TOKEN"),
        ("1:open-sesame/../x", "https://api.telegram.org", "TELEGRAM_BOT_TOKEN"),
        ("1:open sesame", "https://api.telegram.org", "TELEGRAM_BOT_TOKEN"),
        ("1:open-sesame\n", "https://api.telegram.org", "TELEGRAM_BOT_TOKEN"),
        ("1:open-sesame", "api.telegram.org", "TELEGRAM_BASE_URL"),
        ("1:open-sesame", "https://api telegram", "TELEGRAM_BASE_URL"),
    ],
)
def test_a_setting_that_cannot_work_is_named_and_not_told(token: str | None, base_url: str, setting: str) -> None:
    secret = None if token is None else SecretStr(token)

    with pytest.raises(SettingMissing, match=setting) as missing:
        telegram(resources(telegram_bot_token=secret, telegram_base_url=base_url))

    assert "sesame" not in str(missing.value)


def test_a_provider_is_made_without_a_connection_and_within_the_bounds_of_a_call() -> None:
    provider = telegram(resources(telegram_bot_token=SecretStr("123456:ABC-def_1")))

    assert provider.deadline_seconds <= 20
    assert "ABC" not in repr(provider)
