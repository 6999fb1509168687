"""From which settings SMS and WhatsApp are opened, and what they say when one is missing."""

from __future__ import annotations

from typing import Any, cast

import pytest
from pydantic import SecretStr

from functions.deliver_sms import main as sms
from functions.deliver_whatsapp import main as whatsapp
from infrastructure.local.providers import require, sandboxed, unmet
from infrastructure.sandbox.sandbox import Sandbox
from infrastructure.sandbox.twilio import TWILIO
from shared.broker import Broker
from shared.errors import SettingMissing
from shared.runtime import Resources
from shared.settings import Settings
from shared.statuses import Channel
from shared.store import Store
from tests.fakes import HoldingBroker

ACCOUNT: dict[str, Any] = {"twilio_account_sid": "AC1", "twilio_auth_token": SecretStr("a-token")}
SENDERS = {"twilio_sms_from": "+15551234567", "twilio_whatsapp_from": "+15551234567"}
NOTHING: dict[str, Any] = dict.fromkeys((*ACCOUNT, *SENDERS)) | {"channels": "sms,whatsapp"}


def settings(**said: Any) -> Settings:
    return Settings().model_copy(update={**NOTHING, **said})


def resources(**said: Any) -> Resources:
    broker = cast(Broker, HoldingBroker())
    return Resources(settings=settings(**said), store=cast(Store, None), broker=broker)


async def test_each_channel_has_a_breaker_of_its_own() -> None:
    world = resources(**ACCOUNT, **SENDERS)

    assert (sms.twilio(world).name, whatsapp.twilio(world).name) == ("twilio-sms", "twilio-whatsapp")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "TWILIO_ACCOUNT_SID"),
        ({"twilio_account_sid": "AC1", **SENDERS}, "TWILIO_AUTH_TOKEN"),
        ({**ACCOUNT, "twilio_whatsapp_from": "+15551234567"}, "TWILIO_SMS_FROM is missing.*leave sms out"),
    ],
)
def test_a_setting_that_is_missing_is_named_with_the_remedy(said: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingMissing, match=why) as refused:
        sms.twilio(resources(**said))

    assert "a-token" not in str(refused.value)


def test_without_an_account_the_start_is_refused_where_no_sandbox_may_stand_in() -> None:
    elsewhere = {"database_url": SecretStr("postgresql://elsewhere"), "sandbox": False}

    with pytest.raises(SettingMissing, match=r"TWILIO_ACCOUNT_SID.*sms, whatsapp"):
        require(settings(**elsewhere))
    require(settings(**elsewhere, **ACCOUNT))
    require(settings(**{**elsewhere, "channels": "websocket"}))


def test_the_sandbox_stands_in_for_an_account_whole_or_not_at_all() -> None:
    sandbox = Sandbox()
    none, half, own = settings(), settings(twilio_account_sid="AC1", **SENDERS), settings(**ACCOUNT)

    assert sandboxed(none, sandbox)["twilio_account_sid"] == TWILIO.account_sid
    assert sandboxed(half, sandbox)["twilio_account_sid"] == TWILIO.account_sid
    assert sandboxed(own, sandbox) == {}


def test_only_the_served_channels_need_an_account() -> None:
    assert not unmet(settings(channels="websocket"))
    assert [need.channels for need in unmet(settings(channels="whatsapp"))] == [{Channel.SMS, Channel.WHATSAPP}]
