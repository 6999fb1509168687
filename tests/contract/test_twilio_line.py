"""How the line to Twilio behaves: what leaves, what comes back late, broken or not at all, and what is left open."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import aiohttp
import pytest

from infrastructure.local.processes import free_port
from infrastructure.sandbox.behaviours import Behaviour, number_for
from infrastructure.sandbox.twilio import SMS_SENDER, TWILIO, WHATSAPP_SENDER
from shared.outcomes import Letter
from shared.statuses import Channel
from shared.twilio.line import MAX_ANSWER_BYTES
from tests.contract.mail_server import other_server, until
from tests.contract.twilio_line import (
    ACCEPTED,
    ADA,
    AMBIGUOUS,
    FAULT,
    IMPATIENT_SECONDS,
    NEITHER,
    PATIENT_SECONDS,
    PERMANENT,
    SMS,
    TEXT,
    THROTTLED,
    TRANSIENT,
    WHATSAPP,
    client,
    judged,
    letter,
    sandbox,
)

SERVICE = f"MG{'7' * 32}"
TEMPLATE = f"HX{'1' * 32}"
PUBLIC_URL = "https://carillon.example"


class FormTaker:
    """A server that takes one form and remembers it."""

    def __init__(self) -> None:
        self.forms: list[dict[str, list[str]]] = []
        self.request_lines: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        size = int(next(line for line in head.split("\r\n") if line.lower().startswith("content-length")).split(":")[1])
        self.request_lines.append(head.split("\r\n")[0])
        self.forms.append(parse_qs((await reader.readexactly(size)).decode(), strict_parsing=True))
        body = json.dumps({"sid": "SM1", "status": "queued"}).encode()
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))


NUMBER_42 = UUID(int=42)
LINK = f"{PUBLIC_URL}/callbacks/twilio?tenant=default&id={NUMBER_42}&channel=%s&epoch=0"
FORMS: list[tuple[Channel, str, dict[str, Any], Mapping[str, str]]] = [
    (SMS, SMS_SENDER, {}, {"To": ADA, "From": SMS_SENDER, "Body": TEXT}),
    (SMS, SERVICE, {}, {"To": ADA, "MessagingServiceSid": SERVICE, "Body": TEXT}),
    (
        SMS,
        SMS_SENDER,
        {"expires_in_seconds": 90.5},
        {"To": ADA, "From": SMS_SENDER, "Body": TEXT, "ValidityPeriod": "90"},
    ),
    (
        WHATSAPP,
        WHATSAPP_SENDER,
        {},
        {"To": f"whatsapp:{ADA}", "From": f"whatsapp:{WHATSAPP_SENDER}", "Body": TEXT},
    ),
    (
        WHATSAPP,
        f"whatsapp:{WHATSAPP_SENDER}",
        {"options": {"content_sid": TEMPLATE, "content_variables": {"1": "Zoë"}}},
        {
            "To": f"whatsapp:{ADA}",
            "From": f"whatsapp:{WHATSAPP_SENDER}",
            "ContentSid": TEMPLATE,
            "ContentVariables": '{"1": "Zo\\u00eb"}',
        },
    ),
    (
        WHATSAPP,
        SERVICE,
        {"options": {"content_sid": TEMPLATE}},
        {"To": f"whatsapp:{ADA}", "MessagingServiceSid": SERVICE, "ContentSid": TEMPLATE},
    ),
]


@pytest.mark.parametrize(("channel", "sender", "said", "form"), FORMS)
async def test_twilio_gets_the_form_that_its_documentation_asks_for(
    channel: Channel, sender: str, said: dict[str, Any], form: Mapping[str, str]
) -> None:
    taker = FormTaker()
    message = Letter(
        notification_id=NUMBER_42,
        tenant="default",
        user_id="1",
        channel=channel,
        address=ADA,
        subject="",
        text=TEXT,
        idempotency_key=NUMBER_42,
        **said,
    )

    async with (
        other_server(taker) as url,
        client(url.replace("smtp", "http"), channel, sender=sender, public_url=PUBLIC_URL) as provider,
    ):
        outcome = await provider.send(message)

    assert outcome.kind is ACCEPTED
    assert taker.request_lines == [f"POST /2010-04-01/Accounts/{TWILIO.account_sid}/Messages.json HTTP/1.1"]
    assert taker.forms == [{name: [value] for name, value in {**form, "StatusCallback": LINK % channel}.items()}]


@pytest.mark.parametrize(
    ("channel", "address", "said", "code"),
    [
        (SMS, ADA, {"text": "x" * 1601}, "twilio too long"),
        (WHATSAPP, ADA, {"text": "x" * 1601}, "twilio too long"),
        (SMS, "5551234567", {}, "twilio number malformed"),
        (SMS, "whatsapp:+15551234567", {}, "twilio number malformed"),
        (SMS, "", {}, "twilio number malformed"),
        (SMS, f"{ADA}\n", {}, "twilio number malformed"),
    ],
)
async def test_what_twilio_would_refuse_in_any_case_is_refused_without_a_call(
    channel: Channel, address: str, said: dict[str, Any], code: str
) -> None:
    async with sandbox() as house, client(house.url, channel) as provider:
        outcome = await provider.send(letter(address, channel, **said))

        assert (*judged(outcome), outcome.code) == (PERMANENT, NEITHER, code)
        assert not house.room.calls


@pytest.mark.parametrize("channel", [SMS, WHATSAPP])
async def test_the_longest_text_is_taken(channel: Channel) -> None:
    async with sandbox() as house, client(house.url, channel) as provider:
        outcome = await provider.send(letter(channel=channel, text="é" * 1600))

        assert outcome.kind is ACCEPTED


async def test_where_no_connection_can_be_opened_nothing_has_left() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with other_server(say_nothing) as silent:
        codes = []
        for url in (f"http://127.0.0.1:{free_port()}", "http://no-such-host.invalid", silent.replace("smtp", "https")):
            async with client(url, deadline_seconds=IMPATIENT_SECONDS * 5) as provider:
                outcome = await provider.send(letter())
            assert judged(outcome) == (TRANSIENT, FAULT)
            codes.append(outcome.code)

    assert codes[0] == "twilio unreachable at connect"
    assert codes[1] in ("twilio unknown host at connect", "twilio timeout at connect")
    assert codes[2] == "twilio timeout at connect"


async def test_a_certificate_that_is_not_trusted_is_told_and_nothing_leaves() -> None:
    async with sandbox() as house, client(house.url.replace("http:", "https:")) as provider:
        outcome = await provider.send(letter())

        assert (*judged(outcome), outcome.code) == (TRANSIENT, FAULT, "twilio tls at connect")
        assert not house.room.calls


async def test_an_answer_that_drips_ends_by_the_deadline() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with (
        other_server(drip) as url,
        client(url.replace("smtp", "http"), deadline_seconds=IMPATIENT_SECONDS) as provider,
        asyncio.timeout(PATIENT_SECONDS),
    ):
        outcome = await provider.send(letter())

    assert (*judged(outcome), outcome.code) == (AMBIGUOUS, FAULT, "twilio timeout")


async def test_an_answer_without_end_is_not_kept() -> None:
    async def gush(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(64):
            writer.write(b" " * (MAX_ANSWER_BYTES // 16))
            await writer.drain()

    async with other_server(gush) as url, client(url.replace("smtp", "http")) as provider:
        outcome = await provider.send(letter())

    assert (*judged(outcome), outcome.code) == (AMBIGUOUS, FAULT, "twilio garbled")


async def test_a_call_that_is_cancelled_leaves_no_connection_behind() -> None:
    async with sandbox() as house, client(house.url) as provider:
        sending = asyncio.create_task(provider.send(letter(number_for(Behaviour.HANG))))
        await until(lambda: len(house.room.calls) == 1)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

        assert sending.cancelled()
        await until(lambda: house.http.connections == 0)


async def test_one_connection_is_kept_open_and_closed_at_the_end() -> None:
    async with sandbox() as house:
        async with client(house.url) as provider:
            outcomes = [await provider.send(letter()) for _ in range(10)]
            opened = house.http.connections

        assert {outcome.kind for outcome in outcomes} == {ACCEPTED}
        assert opened == 1
        await until(lambda: house.http.connections == 0)


async def test_a_cut_on_a_connection_that_carried_a_message_before_leaves_the_next_one_in_doubt() -> None:
    to = number_for(Behaviour.CUT_ALWAYS)

    async with sandbox() as house, client(house.url) as provider:
        await provider.send(letter())
        outcome = await provider.send(letter(to))

        assert (*judged(outcome), outcome.code) == (AMBIGUOUS, FAULT, "twilio cut")
        assert list(house.room.calls) == [ADA, to]


async def test_a_process_that_was_stopped_while_it_connected_begins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = aiohttp.TCPConnector._create_connection

    async def slowly(*asked: Any) -> Any:
        connection = await connect(*asked)
        time.sleep(IMPATIENT_SECONDS * 2)  # noqa: ASYNC251 - the process stands still
        return connection

    monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", slowly)
    async with sandbox() as house, client(house.url, deadline_seconds=IMPATIENT_SECONDS) as provider:
        outcome = await provider.send(letter())

        assert judged(outcome) == (THROTTLED, NEITHER)
        assert list(house.room.calls) == []


async def test_many_messages_at_once_are_all_taken() -> None:
    async with sandbox() as house, client(house.url) as provider:
        outcomes = await asyncio.gather(*[provider.send(letter()) for _ in range(provider.calls_at_once)])

        assert {outcome.kind for outcome in outcomes} == {ACCEPTED}
        assert len({outcome.provider_message_id for outcome in outcomes}) == len(house.mailbox) == 50


async def test_settings_of_the_sdks_own_do_not_lead_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC0")

    async with sandbox() as house, client(house.url) as provider:
        outcome = await provider.send(letter())

        assert outcome.kind is ACCEPTED


async def test_no_number_text_or_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async with sandbox() as house, client(house.url) as provider:
        await provider.send(letter())
        await provider.send(letter(text="Another", in_doubt_for_seconds=1))
        await provider.send(letter(number_for(Behaviour.REFUSED)))

        assert len(house.room.calls) == 4
    assert not [word for word in (ADA[1:], TEXT, TWILIO.auth_token, "1500555") if word in caplog.text]
