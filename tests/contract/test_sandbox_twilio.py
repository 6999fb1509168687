"""Twilio's stand-in as Twilio: who may speak to it, what it refuses, and what it calls back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, encode_basic_auth, web

from infrastructure.sandbox.behaviours import Behaviour, number_for
from infrastructure.sandbox.twilio import SMS_SENDER, TWILIO, failing_number
from shared.callback_links import callback_link
from shared.statuses import Channel
from shared.twilio.provider import TwilioProvider
from shared.twilio.receipts import is_signed, receipt_of
from tests.contract.mail_server import until
from tests.contract.twilio_line import (
    ADA,
    FAULT,
    PATIENT_SECONDS,
    SMS,
    TEXT,
    TRANSIENT,
    WHATSAPP,
    client,
    judged,
    letter,
    sandbox,
)


class Listener:
    """The address that callbacks go to."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, str], str | None]] = []
        self.is_silent = False
        self.asked = 0

    async def hear(self, request: web.Request) -> web.Response:
        self.asked += 1
        if self.is_silent:
            await asyncio.sleep(PATIENT_SECONDS)
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.heard.append((str(request.url), form, request.headers.get("X-Twilio-Signature")))
        return web.Response(status=204)


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[Listener, str]]:
    listener, app = Listener(), web.Application()
    app.add_routes([web.post("/callbacks/twilio", listener.hear)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield listener, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def called_back(channel: Channel = SMS) -> AsyncIterator[tuple[Listener, str, TwilioProvider]]:
    async with (
        listening() as (listener, public_url),
        sandbox() as house,
        client(house.url, channel, public_url=public_url) as provider,
    ):
        yield listener, public_url, provider


@pytest.mark.parametrize("channel", [SMS, WHATSAPP])
async def test_what_becomes_of_a_message_is_told_in_signed_callbacks(channel: Channel) -> None:
    message = letter(channel=channel)

    async with called_back(channel) as (listener, public_url, provider):
        outcome = await provider.send(message)
        await until(lambda: len(listener.heard) == 2)

    receipts = [receipt_of(form) for _, form, _ in listener.heard]
    assert [receipt.receipt if receipt else "none" for receipt in receipts] == [None, "delivered"]
    assert {receipt.sid for receipt in receipts if receipt} == {outcome.provider_message_id}
    link = callback_link(public_url, "twilio", message)
    assert link
    assert all(is_signed(TWILIO.auth_token, link, form, signature) for _, form, signature in listener.heard)
    assert not any(is_signed("another", link, form, signature) for _, form, signature in listener.heard)
    assert {url for url, _, _ in listener.heard} == {link}


async def test_a_number_can_stand_for_the_code_that_its_messages_fail_with() -> None:
    async with called_back() as (listener, _, provider):
        await provider.send(letter(failing_number(30005)))
        await until(lambda: len(listener.heard) == 2)

    receipt = receipt_of(listener.heard[-1][1])
    assert receipt is not None
    assert (receipt.receipt, receipt.suppress, receipt.code) == ("failed", True, "twilio 30005")


async def test_without_a_public_address_nobody_is_called_back() -> None:
    async with listening() as (listener, _), sandbox() as house, client(house.url) as provider:
        await provider.send(letter())

        assert len(house.mailbox) == 1
    assert listener.asked == 0


async def test_a_stop_does_not_wait_for_callbacks() -> None:
    async with asyncio.timeout(PATIENT_SECONDS / 3), called_back() as (listener, _, provider):
        listener.is_silent = True
        await provider.send(letter())
        await until(lambda: listener.asked == 1)

    assert listener.heard == []


async def test_a_message_that_nobody_heard_the_answer_to_is_called_back_all_the_same() -> None:
    async with called_back() as (listener, _, provider):
        await provider.send(letter(number_for(Behaviour.CUT)))
        await until(lambda: len(listener.heard) == 2)

    assert receipt_of(listener.heard[-1][1]) is not None


async def test_who_has_another_token_is_not_let_in() -> None:
    async with sandbox() as house, client(house.url, token="another") as provider:
        sending = await provider.send(letter())
        looking = await provider.send(letter(in_doubt_for_seconds=1))

        assert (*judged(sending), sending.code) == (TRANSIENT, FAULT, "twilio 20003")
        assert (*judged(looking), looking.code) == (TRANSIENT, FAULT, "twilio 20003 at look-up")
        assert not house.room.calls


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, 21604),
        ({"To": ADA}, 21603),
        ({"To": ADA, "From": SMS_SENDER}, 21602),
        ({"To": ADA, "From": SMS_SENDER, "Body": "x" * 1601}, 21617),
    ],
)
async def test_a_form_with_a_flaw_is_refused_as_twilio_does(form: dict[str, str], code: int) -> None:
    async with sandbox() as house, ClientSession(headers=_login()) as session:
        url = f"{house.url}/2010-04-01/Accounts/{TWILIO.account_sid}/Messages.json"
        async with session.post(url, data=form) as response:
            answer = await response.json()

        assert (response.status, answer["code"], answer["status"]) == (400, code, 400)
        assert len(house.mailbox) == 0


async def test_what_came_over_whatsapp_is_kept_as_whatsapp() -> None:
    async with sandbox() as house, client(house.url, WHATSAPP) as provider:
        await provider.send(letter(channel=WHATSAPP))

        (message,) = house.mailbox.newest()
        assert (message.channel, message.to, message.content.text) == (WHATSAPP, ADA, TEXT)


def _login() -> dict[str, str]:
    return {"Authorization": encode_basic_auth(TWILIO.account_sid, TWILIO.auth_token)}
