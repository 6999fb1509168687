"""Logins and TLS between the e-mail provider and its server."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import aiosmtplib
import pytest

from functions.deliver_email.answers import Phase, Progress
from functions.deliver_email.connections import Connections
from functions.deliver_email.relay import Encryption, Relay
from infrastructure.sandbox.mailbox import Mailbox
from infrastructure.sandbox.moods import Moods
from infrastructure.sandbox.smtp import SandboxSmtp
from tests.contract.mail_server import (
    ACCEPTED,
    AMBIGUOUS,
    EITHER_WAY,
    FAULT,
    TRANSIENT,
    client,
    judged,
    kinds,
    letter,
    port_of,
    sandbox,
    send_all,
    send_impatiently,
    until,
)


@EITHER_WAY
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_a_login_opens_the_door(mechanism: str, way: frozenset[str]) -> None:
    login = {"credentials": ("us@er", "p:/@ss"), "mechanisms": (mechanism,)}
    async with sandbox(**login, not_offered=way) as server, client(server.url) as provider:
        assert (await provider.send(letter())).kind is ACCEPTED


@pytest.mark.parametrize("login", ["user:wrong@", ""])
async def test_a_failed_login_is_the_providers_failure_and_not_the_recipients(login: str) -> None:
    server = SandboxSmtp(Mailbox(), Moods(credentials=("user", "right")))
    await server.start()
    async with client(f"smtp://{login}127.0.0.1:{server.port}") as provider:
        outcome = await provider.send(letter())
    await server.stop()

    assert judged(outcome) == (TRANSIENT, FAULT)
    assert outcome.reason == "the server does not accept our credentials"
    assert len(server.mailbox) == 0


async def test_a_server_without_logins_is_not_sent_a_mail_that_should_have_had_one() -> None:
    async with sandbox() as server, client(f"smtp://user:secret@127.0.0.1:{server.port}") as provider:
        outcome = await provider.send(letter())

        assert judged(outcome) == (TRANSIENT, FAULT)
        assert outcome.code == "smtp not offered at login"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1, signed by nobody else, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    subject = ["-subj", "/CN=sandbox.localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(
        ["openssl", "req", "-x509", "-days", "2", *new_key, *subject, *files], check=True, capture_output=True
    )
    return folder / "certificate.pem"


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """The server's side."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context


@EITHER_WAY
async def test_starttls_is_used_when_it_is_offered_and_the_login_goes_over_it(
    tls: ssl.SSLContext, way: frozenset[str]
) -> None:
    moods = {"tls": tls, "credentials": ("user", "secret"), "not_offered": way}
    async with sandbox(**moods) as server, client(server.url) as provider:
        outcomes = await send_all(provider, [letter("ada@example.test") for _ in range(3)])

        assert kinds(outcomes) == [ACCEPTED] * 3
        assert server.sessions
        assert all(session.is_encrypted for session in server.sessions)


@EITHER_WAY
async def test_tls_from_the_start_with_a_trusted_certificate(
    tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch, way: frozenset[str]
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with sandbox(tls=tls, is_tls_from_the_start=True, not_offered=way) as server, client(server.url) as provider:
        assert (await provider.send(letter())).kind is ACCEPTED


async def test_tls_with_a_certificate_that_nobody_vouches_for_sends_nothing(tls: ssl.SSLContext) -> None:
    async with sandbox(tls=tls, is_tls_from_the_start=True) as server, client(server.url) as provider:
        outcome = await provider.send(letter())

        assert judged(outcome) == (TRANSIENT, FAULT)
        assert outcome.code == "smtp tls at connect"
        assert len(server.mailbox) == 0


@EITHER_WAY
async def test_a_hanging_server_behind_tls_gives_the_connection_back_too(
    tls: ssl.SSLContext, way: frozenset[str]
) -> None:
    async with sandbox(tls=tls, not_offered=way) as server, client(server.url, connections=1) as provider:
        outcome = await send_impatiently(provider, "hang@example.test")
        await until(lambda: not server.sessions)

        assert judged(outcome) == (AMBIGUOUS, FAULT)


async def test_behind_tls_too_a_mail_that_did_not_leave_whole_is_not_in_doubt(tls: ssl.SSLContext) -> None:
    async def read_little(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        await reader.readline()
        writer.write(b"250-hi\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
        await given_up.wait()
        received.append(await reader.read())
        writer.close()

    given_up, received = asyncio.Event(), list[bytes]()
    letters = [letter(), letter(text="a long line of text\n" * 700_000), letter()]
    server = await asyncio.start_server(read_little, "127.0.0.1", 0, ssl=tls)
    async with server, client(f"smtps://127.0.0.1:{port_of(server)}", 1, deadline_seconds=2) as provider:
        relay = provider._connections._relay
        provider._connections._tls_context = replace(relay, encryption=Encryption.WHEN_OFFERED).tls_context()
        outcomes = await send_all(provider, letters)
        given_up.set()
        await until(lambda: bool(received))

    assert kinds(outcomes) == [AMBIGUOUS, TRANSIENT, None]
    assert received[0].count(b"BDAT") == 2
    assert len(received[0]) < 14_000_000


async def test_a_password_never_crosses_the_network_in_the_clear() -> None:
    async with sandbox(credentials=("user", "secret")) as server:
        relay = replace(Relay.parse(server.url), encryption=Encryption.REQUIRED)
        connections, progress = Connections(relay, 1, "client.example.test"), Progress()

        with pytest.raises(aiosmtplib.SMTPException, match="STARTTLS"):
            await connections.borrow(progress)

        assert progress.phase is Phase.CONNECT
