"""What the doctor finds at the neighbours: the broker, Redis, mail servers, and whoever else carries messages."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pika
import pytest

from infrastructure.doctor import broker, management, push, redis, smtp, telegram, twilio
from infrastructure.doctor.findings import Look
from infrastructure.sandbox.google_login import Account
from infrastructure.sandbox.moods import Outage
from shared.broker import topology
from shared.broker.rabbit import RabbitBroker
from tests.contract.clean_slate import delete_all_queues
from tests.contract.mail_server import sandbox
from tests.examined import FAULT, NOWHERE, OK, SECRET, WARNING, Provider, found, serving, world


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """Run one."""
    async with serving(Provider()) as one:
        yield one


@pytest.mark.rabbit
async def test_a_broker_is_well_once_its_topology_is_declared_and_its_queues_are_taken_from(rabbit_url: str) -> None:
    delete_all_queues(rabbit_url)
    empty = await found(broker.look, world(amqp_url=rabbit_url))
    running = RabbitBroker(rabbit_url)
    await running.start()
    declared = await found(broker.look, world(amqp_url=rabbit_url))
    await running.stop()

    assert "events.main" in empty[FAULT]
    assert "carillon" in empty[FAULT]
    assert declared[FAULT] == ""
    assert f"{len(topology.queues())} queues are declared as the table says" in declared[OK]
    assert "it takes messages" in declared[OK]
    assert "no Carillon runs on it" in declared[OK]


@pytest.mark.rabbit
async def test_a_queue_with_other_arguments_and_messages_that_nobody_takes_are_named(rabbit_url: str) -> None:
    delete_all_queues(rabbit_url)
    running = RabbitBroker(rabbit_url)
    await running.start()
    await running.stop()
    connection = pika.BlockingConnection(pika.URLParameters(rabbit_url))
    channel = connection.channel()
    channel.queue_delete(topology.RESULTS)
    channel.queue_declare(topology.RESULTS, durable=True)
    channel.confirm_delivery()
    channel.basic_publish("", topology.EVENTS, b"{}")
    connection.close()

    said = await found(broker.look, world(amqp_url=rabbit_url))
    delete_all_queues(rabbit_url)

    assert f"{topology.RESULTS}: it exists with other arguments" in said[FAULT]
    assert f"{topology.EVENTS} (1 messages)" in said[WARNING]


@pytest.mark.rabbit
async def test_a_broker_that_lets_nobody_in_is_a_fault(rabbit_url: str) -> None:
    wrong = rabbit_url.replace("guest:guest@", f"guest:{SECRET}@")

    assert wrong != rabbit_url
    assert "the user or the password is wrong" in (await found(broker.look, world(amqp_url=wrong)))[FAULT]


@pytest.mark.parametrize("url", [f"amqp://u:{SECRET}@{NOWHERE}/", "nonsense", "amqp://u@h:port/"])
async def test_a_broker_that_is_away_is_a_fault(url: str) -> None:
    assert "cannot be asked" in (await found(broker.look, world(amqp_url=url)))[FAULT]


def test_the_limit_of_a_queue_is_read_from_its_policy_before_its_arguments() -> None:
    queues = [
        {"name": "a", "arguments": {}, "effective_policy_definition": {"delivery-limit": -1}},
        {"name": "b", "arguments": {"x-delivery-limit": 5}, "effective_policy_definition": None},
        {"name": "c", "arguments": {}},
    ]

    assert management.read_limits(json.dumps(queues)) == {"a": -1, "b": 5, "c": None}
    assert management.read_limits("<html>") is None


@pytest.mark.redis
async def test_a_redis_that_answers_is_well(redis_url: str) -> None:
    assert "Redis" in (await found(redis.look, world(redis_url=redis_url)))[OK]


async def test_a_redis_that_is_away_is_a_warning_for_nothing_stands_still() -> None:
    said = await found(redis.look, world(redis_url=f"redis://:{SECRET}@{NOWHERE}"))

    assert said[WARNING]
    assert said[FAULT] == ""


async def test_a_mail_server_is_greeted_logged_in_to_and_left_without_a_mail() -> None:
    async with sandbox(credentials=("user", SECRET)) as server:
        said = await found(smtp.look, world(smtp_url=server.url))

        assert "smtp answers: logged in" in said[OK]
        assert server.mailbox.newest(10) == []
        assert said[FAULT] == ""


@pytest.mark.parametrize(
    ("moods", "login", "why"),
    [
        ({"credentials": ("user", "right")}, f"user:{SECRET}@", "refuses the login (535)"),
        ({}, f"user:{SECRET}@", "offers no login"),
        ({"outage": Outage.BANNER}, "", "421"),
        ({"outage": Outage.RESET}, "", "cannot be reached"),
    ],
)
async def test_a_mail_server_that_does_not_do_what_the_settings_expect_is_a_fault(
    moods: dict[str, Any], login: str, why: str
) -> None:
    async with sandbox(**moods) as server:
        said = await found(smtp.look, world(smtp_url=f"smtp://{login}127.0.0.1:{server.port}"))

    assert why in said[FAULT]


async def test_of_several_mail_servers_each_is_looked_at() -> None:
    async with sandbox() as server:
        said = await found(smtp.look, world(smtp_url=f"{server.url} smtp://{NOWHERE}?name=spare"))

    assert "smtp answers" in said[OK]
    assert "spare cannot be reached" in said[FAULT]


Said = dict[str, Any]


def at(address: str, url: str) -> Said:
    return {address: url}


SENDERS: Said = {"twilio_sms_from": "+1", "twilio_whatsapp_from": "+1"}
TWILIO: Said = {"twilio_account_sid": "AC1", "twilio_auth_token": SECRET, **SENDERS}
TELEGRAM: Said = {"telegram_bot_token": f"1:{SECRET}"}
ONESIGNAL: Said = {"onesignal_app_id": "app", "onesignal_api_key": SECRET}
ASKED: list[tuple[Look, Said, str, Said]] = [
    (twilio.look, TWILIO, "twilio_base_url", {"status": "active"}),
    (telegram.look, TELEGRAM, "telegram_base_url", {"ok": True, "result": {"username": "bot"}}),
    (push.look, ONESIGNAL, "onesignal_base_url", {"notifications": []}),
]
EACH = pytest.mark.parametrize(("look", "said", "address", "answer"), ASKED, ids=["Twilio", "Telegram", "OneSignal"])


@EACH
async def test_a_provider_that_takes_the_credentials_is_well(
    look: Look, said: Said, address: str, answer: dict[str, Any], provider: Provider
) -> None:
    provider.document = answer

    told = await found(look, world(**said, **at(address, provider.url)))

    assert told[OK]
    assert (told[FAULT], told[WARNING]) == ("", "")
    assert len(provider.asked) == 1


@EACH
async def test_a_provider_that_refuses_them_is_a_fault_and_one_in_trouble_a_warning(
    look: Look, said: Said, address: str, answer: dict[str, Any], provider: Provider
) -> None:
    asked = world(**said, **at(address, provider.url))
    provider.status, provider.document = 401, {"ok": False, "error_code": 401}
    refused = await found(look, asked)
    provider.status, provider.document = 503, {}
    troubled = await found(look, asked)
    away = await found(look, world(**said, **at(address, f"http://{NOWHERE}")))

    assert "401" in refused[FAULT]
    assert "503" in troubled[WARNING]
    assert "nothing listens there" in away[FAULT]


async def test_an_account_of_twilio_that_is_closed_and_a_sender_that_is_missing_are_faults(provider: Provider) -> None:
    provider.document = {"status": "suspended"}

    said = await found(twilio.look, world(**{**TWILIO, "twilio_sms_from": None}, twilio_base_url=provider.url))

    assert "the account is suspended" in said[FAULT]
    assert "TWILIO_SMS_FROM is missing" in said[FAULT]


async def test_fcm_is_logged_in_to(provider: Provider) -> None:
    provider.document = {"access_token": "token", "expires_in": 3600}
    account = Account().document(f"{provider.url}/token")

    well = await found(push.look, world(fcm_service_account=account))
    provider.status, provider.document = 400, {"error": "invalid_grant"}
    refused = await found(push.look, world(fcm_service_account=account))
    nothing = await found(push.look, world(fcm_service_account="/nonexistent"))

    assert "FCM takes the service account" in well[OK]
    assert "FCM gives no access token" in refused[FAULT]
    assert "cannot be read" in nothing[FAULT]


async def test_a_channel_that_is_not_served_is_not_looked_at() -> None:
    asked = world(**TWILIO, **TELEGRAM, **ONESIGNAL, smtp_url=f"smtp://{NOWHERE}", channels="websocket")

    looked = [await look(asked) for look in (twilio.look, telegram.look, push.look, smtp.look)]

    assert looked == [[], [], [], []]
