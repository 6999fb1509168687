"""What the e-mail tests share: a server that misbehaves, a client of it, and letters."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from functions.deliver_email.provider import SmtpProvider
from functions.deliver_email.relay import Relay
from infrastructure.sandbox.mailbox import Mailbox
from infrastructure.sandbox.moods import Moods
from infrastructure.sandbox.smtp import SandboxSmtp
from shared.outcomes import Letter, Outcome
from shared.statuses import Channel, OutcomeKind

ACCEPTED, PERMANENT, TRANSIENT = OutcomeKind.ACCEPTED, OutcomeKind.PERMANENT, OutcomeKind.TRANSIENT
THROTTLED, AMBIGUOUS = OutcomeKind.THROTTLED, OutcomeKind.AMBIGUOUS
FAULT, SUPPRESS, NEITHER = "provider_at_fault", "suppress", ""

SENDER = "Carillon <carillon@example.test>"
KEY = UUID("0b5a3c1e-6a4f-5c0e-9b51-1f4f0a6d2c11")
LOCK_STEP, PIPELINED = frozenset({"CHUNKING"}), frozenset[str]()
"""What a server does not offer decides how it is spoken to."""
EITHER_WAY = pytest.mark.parametrize("way", [LOCK_STEP, PIPELINED], ids=["lock-step", "pipelined"])

PATIENT_SECONDS = 15.0
IMPATIENT_SECONDS = 0.4


def letter(address: str = "ada@example.test", key: UUID | None = None, text: str = "Hi Ada.", **said: Any) -> Letter:
    """Write a letter; those with one key are attempts of one delivery."""
    return Letter(
        notification_id=key or uuid4(),
        tenant="default",
        user_id="1",
        channel=Channel.EMAIL,
        address=address,
        subject=said.pop("subject", "Hello"),
        text=text,
        idempotency_key=key or uuid4(),
        **said,
    )


@asynccontextmanager
async def sandbox(**moods: Any) -> AsyncIterator[SandboxSmtp]:
    server = SandboxSmtp(Mailbox(), Moods(**moods))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def client(
    url: str,
    connections: int = 2,
    deadline_seconds: float = PATIENT_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[SmtpProvider]:
    provider = SmtpProvider(Relay.parse(url), SENDER, connections, deadline_seconds, clock)
    try:
        yield provider
    finally:
        await provider.close()


async def send_all(provider: SmtpProvider, letters: Iterable[Letter]) -> list[Outcome | None]:
    """Send a set; return the outcomes in the order of the letters."""
    wanted = list(letters)
    told: dict[int, Outcome | None] = {}

    def tell(ended: Iterable[tuple[int, Outcome | None]]) -> None:
        for place, outcome in ended:
            assert place not in told, "a letter was told twice"
            told[place] = outcome

    async with asyncio.timeout(PATIENT_SECONDS * 2):  # a deadline that is not kept is a failure here, not a hang
        await provider.send_set(wanted, tell)
    return [told[place] for place in range(len(wanted))]


def kinds(outcomes: Iterable[Outcome | None]) -> list[OutcomeKind | None]:
    return [outcome.kind if outcome else None for outcome in outcomes]


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENT_SECONDS):
        while not is_so():  # noqa: ASYNC110 - what is watched are a server's own counts
            await asyncio.sleep(0.005)


async def send_impatiently(provider: SmtpProvider, address: str) -> Outcome:
    """Send with a short deadline, over a connection that is open already: only the server's silence can exceed it."""
    assert (await provider.send(letter())).kind is ACCEPTED
    provider.deadline_seconds = IMPATIENT_SECONDS
    async with asyncio.timeout(PATIENT_SECONDS):  # a deadline that is not kept is a failure here, not a hang
        outcome = await provider.send(letter(address))
    provider.deadline_seconds = PATIENT_SECONDS
    return outcome


def judged(outcome: Outcome) -> tuple[OutcomeKind, str]:
    return outcome.kind, FAULT if outcome.provider_at_fault else SUPPRESS if outcome.suppress else NEITHER


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def other_server(handler: Handler) -> AsyncIterator[str]:
    """Serve with a handler of one connection, and leave when every connection has ended."""
    conversations: set[asyncio.StreamWriter] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()
        conversations.discard(writer)

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with server:
        yield f"smtp://127.0.0.1:{port_of(server)}"
        await until(lambda: not conversations)


def port_of(server: asyncio.Server) -> int:
    bound: socket.socket = server.sockets[0]
    return int(bound.getsockname()[1])
