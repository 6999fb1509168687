"""The names of providers as the settings tell them: the same as those of the adapters that are made of the settings."""

from __future__ import annotations

from typing import Any, cast

import pytest
from pydantic import SecretStr

from functions.deliver_email.main import lines
from functions.deliver_push.main import push
from functions.deliver_sms.main import twilio as sms
from functions.deliver_telegram.main import telegram
from functions.deliver_whatsapp.main import twilio as whatsapp
from functions.push_ws.inbox_provider import InboxProvider
from infrastructure.sandbox.fcm import FCM
from shared.provider_names import NamedLine, channel_of, named_lines
from shared.runtime import Resources
from shared.settings import Settings
from shared.statuses import Channel
from tests.fakes import HoldingBroker

EVERYTHING: dict[str, Any] = {
    "api_keys": None,
    "host": "127.0.0.1",
    "smtp_url": SecretStr("smtp://a.test smtp://b.test?weight=3 smtps://c.test?name=backup"),
    "twilio_account_sid": "AC0",
    "twilio_auth_token": SecretStr("token"),
    "twilio_sms_from": "+15005550006",
    "twilio_whatsapp_from": "+15005550006",
    "telegram_bot_token": SecretStr("1:a"),
}


def resources(**settings: Any) -> Resources:
    return Resources(
        settings=Settings(**{**EVERYTHING, **settings}), store=cast(Any, None), broker=cast(Any, HoldingBroker())
    )


async def test_each_provider_is_named_as_its_adapter_is() -> None:
    process = resources()

    named = named_lines(process.settings)

    assert named[Channel.EMAIL] == tuple(NamedLine(one.provider.name, one.weight) for one in lines(process))
    assert [line.name for line in named[Channel.EMAIL]] == ["smtp", "smtp-2", "backup"]
    assert named[Channel.SMS] == (NamedLine(sms(process).name),)
    assert named[Channel.WHATSAPP] == (NamedLine(whatsapp(process).name),)
    assert named[Channel.TELEGRAM] == (NamedLine(telegram(process).name),)
    assert named[Channel.WEBSOCKET] == (NamedLine(InboxProvider.name),)


@pytest.mark.parametrize(("has_onesignal", "tenants"), [(True, "*:fcm+onesignal"), (False, "*:fcm"), (True, "*:fcm")])
async def test_push_is_named_by_its_service_or_as_both(has_onesignal: bool, tenants: str) -> None:
    onesignal = {"onesignal_app_id": "app", "onesignal_api_key": SecretStr("key")} if has_onesignal else {}
    process = resources(**FCM.settings("http://127.0.0.1:1"), **onesignal, push_providers=tenants)
    provider = push(process)

    named = named_lines(process.settings)

    await provider.close()
    assert named[Channel.PUSH] == (NamedLine(provider.name),)
    assert channel_of(provider.name) is Channel.PUSH


def test_a_channel_is_known_by_its_providers_name() -> None:
    named = named_lines(resources().settings)

    assert {channel_of(line.name) for lines in named.values() for line in lines} == set(named) - {Channel.PUSH}


def test_where_nothing_is_set_nothing_but_the_inbox_is_named_and_only_what_is_served() -> None:
    bare = Settings(api_keys=None, host="127.0.0.1", channels="email,websocket")

    assert named_lines(bare) == {Channel.EMAIL: (), Channel.WEBSOCKET: (NamedLine("inbox"),)}
