"""What a push provider makes of a server that does not speak: how far the request had come decides."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from functions.deliver_push.access_tokens import AccessTokens
from functions.deliver_push.fcm import Fcm
from functions.deliver_push.provider import PushProvider
from functions.deliver_push.service_account import ServiceAccount
from infrastructure.sandbox import fcm
from infrastructure.sandbox.google_login import Account
from shared.http_call import Http, Phase, Silence
from shared.outcomes import Outcome
from shared.statuses import PushService
from tests.contract.mail_server import other_server, until
from tests.contract.push_server import (
    ACCEPTED,
    AMBIGUOUS,
    FAULT,
    IMPATIENT_SECONDS,
    NEITHER,
    PATIENT_SECONDS,
    SERVICES,
    THROTTLED,
    TRANSIENT,
    Phones,
    client,
    device,
    judged,
    letter,
    phones,
    send,
)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

NOBODY_LISTENS = "http://127.0.0.1:9"


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[str]:
    """Serve bytes; whoever leaves this waits until every connection is closed by its client."""
    async with other_server(handler) as url:
        yield url.replace("smtp:", "http:")


async def request(reader: asyncio.StreamReader) -> bytes:
    """Read one request with its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    size = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return await reader.readexactly(size)


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def speak_another_language(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    writer.write(b"220 mail.example.test ESMTP\r\n")
    await reader.read()


async def answer_half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"name": "pro')


async def refuse_half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    writer.write(b'HTTP/1.1 503 Unavailable\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"err')


async def go_on_and_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        await writer.drain()


def at(standing: Phones, service: str, url: str) -> dict[str, Any]:
    """Let messages go to a server; whoever needs an access token gets a good one."""
    return {**standing.settings(service), f"{service}_base_url": url}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    ("handler", "word"), [(speak_another_language, "garbled"), (answer_half, "lost"), (go_on_and_on, "garbled")]
)
async def test_an_answer_that_cannot_be_read_is_ambiguous(service: str, handler: Handler, word: str) -> None:
    async with phones() as standing, server(handler) as url, client(**at(standing, service, url)) as provider:
        outcome = await send(provider, letter(device(service)))

    assert (judged(outcome), outcome.code) == ((AMBIGUOUS, FAULT), f"{service} {word} at sent")


@pytest.mark.parametrize("service", SERVICES)
async def test_half_a_refusal_is_a_refusal(service: str) -> None:
    async with phones() as standing, server(refuse_half) as url, client(**at(standing, service, url)) as provider:
        outcome = await send(provider, letter(device(service)))

    assert (judged(outcome), outcome.code) == ((TRANSIENT, FAULT), f"{service} 503 garbled")


@pytest.mark.parametrize("service", SERVICES)
async def test_the_connection_is_closed_when_the_time_is_up(service: str) -> None:
    open_connections: set[asyncio.StreamWriter] = set()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_connections.add(writer)
        await reader.read()
        open_connections.discard(writer)

    async with phones() as standing, server(hold) as url, client(**at(standing, service, url)) as provider:
        provider.deadline_seconds = 1.5  # the access token comes first
        outcome = await send(provider, letter(device(service)))

        assert (judged(outcome), outcome.code) == ((AMBIGUOUS, FAULT), f"{service} timeout at sent")
        await until(lambda: not open_connections)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_provider_that_cannot_be_reached_has_not_got_the_message(service: str) -> None:
    async with phones() as standing, client(**at(standing, service, NOBODY_LISTENS)) as provider:
        outcome = await send(provider, letter(device(service)))

    assert (judged(outcome), outcome.code) == ((TRANSIENT, FAULT), f"{service} unreachable at connect")


async def test_a_server_that_speaks_no_tls_has_not_got_the_message() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"no TLS here\r\n")

    async with phones() as standing, server(hang_up) as url:
        settings = at(standing, "onesignal", url.replace("http:", "https:"))
        async with client(**settings) as provider:
            outcome = await send(provider, letter(device("onesignal")))

    assert judged(outcome) == (TRANSIENT, FAULT)
    assert outcome.code.endswith(" at connect")


async def test_what_finds_no_connection_by_the_deadline_was_not_tried() -> None:
    http = Http(connections=1)
    async with server(say_nothing) as url:
        now = asyncio.get_running_loop().time()
        answers = await asyncio.gather(*[http.post(url, {}, b"{}", now + IMPATIENT_SECONDS) for _ in range(3)])
        await http.close()

    assert answers == [Silence(Phase.SENT, "timeout"), *[Silence(Phase.WAITING, "timeout")] * 2]


async def test_a_process_that_was_stopped_while_it_connected_begins_nothing() -> None:
    heard = list[bytes]()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())

    loop = asyncio.get_running_loop()
    http = Http(clock=lambda: loop.time() + 60)
    async with server(listen) as url:
        answer = await http.post(url, {}, b"{}", loop.time() + PATIENT_SECONDS)
        await http.close()

    assert answer == Silence(Phase.WAITING, "timeout")
    assert heard == [b""]


async def test_a_message_that_found_no_connection_uses_up_no_try_and_blames_nobody() -> None:
    async with phones() as standing, server(say_nothing) as url:
        account = ServiceAccount.read(standing.settings("fcm")["fcm_service_account"].get_secret_value())
        http = Http(connections=1)
        service = Fcm(account, url, http)
        every = frozenset(PushService)
        provider = PushProvider({PushService.FCM: service}, lambda _: every, http, deadline_seconds=1.5)
        outcomes = await asyncio.gather(*[send(provider, letter(device("fcm"))) for _ in range(2)])
        await provider.close()

    assert {judged(outcome) for outcome in outcomes} == {(AMBIGUOUS, FAULT), (THROTTLED, NEITHER)}


def with_account(standing: Phones, **said: object) -> dict[str, Any]:
    """Write the settings of an account that differs from the good one."""
    settings = standing.settings("fcm")
    document = {**json.loads(settings["fcm_service_account"].get_secret_value()), **said}
    return {**settings, "fcm_service_account": SecretStr(json.dumps(document))}


async def drop_tokens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    await reader.read()


@pytest.mark.parametrize(
    ("handler", "code"),
    [(say_nothing, "fcm timeout at login"), (drop_tokens, "fcm 200 at login"), (answer_half, "fcm lost at login")],
)
async def test_without_an_access_token_the_message_has_not_left(handler: Handler, code: str) -> None:
    async with phones() as standing, server(handler) as url:
        async with client(1.5, **with_account(standing, token_uri=url)) as provider:
            outcome = await send(provider, letter(device("fcm")))

        assert (judged(outcome), outcome.code) == ((TRANSIENT, FAULT), code)
        assert len(standing.mailbox) == 0


async def test_who_gives_up_waiting_for_an_access_token_does_not_take_it_from_the_others() -> None:
    gate, fetches = asyncio.Event(), []

    async def give_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fetches.append(await request(reader))
        await gate.wait()
        body = json.dumps({"access_token": "late", "expires_in": 3600}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
        writer.write(body)
        await reader.read()

    async with phones() as standing, server(give_late) as url:
        settings = with_account(standing, token_uri=url)
        http = Http()
        tokens = AccessTokens(ServiceAccount.read(settings["fcm_service_account"].get_secret_value()), http)
        now = asyncio.get_running_loop().time()
        patient = asyncio.create_task(tokens.get(now + PATIENT_SECONDS))
        given_up = await tokens.get(now + 1.5)
        gate.set()
        given = await patient
        await tokens.close()
        await http.close()

    assert isinstance(given_up, Outcome)
    assert (judged(given_up), given_up.code) == ((TRANSIENT, FAULT), "fcm timeout at login")
    assert (given, len(fetches)) == ("late", 1)


async def test_a_key_that_the_account_does_not_have_is_not_trusted() -> None:
    async with phones() as standing:
        token_uri = f"{standing.http.url}/fcm/token"
        other = json.loads(Account().document(token_uri))["private_key"]
        async with client(**with_account(standing, private_key=other)) as provider:
            outcome = await send(provider, letter(device("fcm")))

        assert (judged(outcome), outcome.code) == ((TRANSIENT, FAULT), "fcm 400 at login")
        assert standing.calls("fcm", fcm.LOGINS) == 1


async def test_a_key_that_is_none_is_named() -> None:
    async with phones() as standing, client(**with_account(standing, private_key="-----BEGIN")) as provider:
        outcome = await send(provider, letter(device("fcm")))

    assert (judged(outcome), outcome.code) == ((TRANSIENT, FAULT), "fcm unreadable key at login")


@pytest.mark.parametrize(("minutes_later", "fetched"), [(50, 1), (56, 2)])
async def test_an_access_token_is_fetched_again_shortly_before_it_expires(minutes_later: int, fetched: int) -> None:
    now = time.time()
    moments = {"now": now - minutes_later * 60}
    async with phones() as standing:
        account = ServiceAccount.read(standing.settings("fcm")["fcm_service_account"].get_secret_value())
        http = Http()
        service = Fcm(account, f"{standing.http.url}/fcm", http, clock=lambda: moments["now"])
        until_then = asyncio.get_running_loop().time() + PATIENT_SECONDS
        first = await service.push(letter(), device("fcm"), until_then)
        moments["now"] = now
        second = await service.push(letter(), device("fcm"), until_then)
        await service.close()
        await http.close()

        assert (first.kind, second.kind) == (ACCEPTED, ACCEPTED)
        assert standing.calls("fcm", fcm.LOGINS) == fetched
