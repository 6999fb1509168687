"""One request to a provider, whoever it is: how far it had come decides what its silence means."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from shared.http_call import Fault, Http, Phase, Reply, Silence, silent
from shared.statuses import OutcomeKind
from tests.contract.mail_server import other_server

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATIENT_SECONDS, IMPATIENT_SECONDS = 15.0, 0.3
MOST_BYTES = 1000


def saying(*pieces: bytes) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)

    return handle


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def head(status: int, length: int) -> bytes:
    return b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n" % (status, length)


@dataclass(frozen=True)
class Case:
    """What a server does, and what is made of it."""

    handler: Handler
    phase: Phase | None
    word: str = ""
    status: int | None = None
    seconds: float = PATIENT_SECONDS


CASES = {
    "an answer": Case(saying(head(200, 2), b"{}"), None, status=200),
    "a refusal": Case(saying(head(400, 2), b"{}"), None, status=400),
    "a refusal that is cut": Case(saying(head(503, 9), b"{}"), None, status=503),
    "a refusal without end": Case(saying(head(503, 9000), b"x" * 9000), None, status=503),
    "an answer that is cut": Case(saying(head(200, 9), b"{}"), Phase.SENT, Fault.LOST, 200),
    "an answer without end": Case(saying(head(200, 9000), b"x" * 9000), Phase.SENT, Fault.GARBLED, 200),
    "another protocol": Case(saying(b"220 mail.example.test ESMTP\r\n"), Phase.SENT, Fault.GARBLED),
    "a connection that is closed": Case(saying(), Phase.SENT, Fault.LOST),
    "nothing": Case(say_nothing, Phase.SENT, Fault.TIMEOUT, seconds=IMPATIENT_SECONDS),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
async def test_each_way_a_server_speaks_is_an_answer_or_a_silence_in_a_phase(case: Case) -> None:
    http = Http(most_bytes=MOST_BYTES)
    async with other_server(case.handler) as url:
        until = asyncio.get_running_loop().time() + case.seconds
        answer = await http.post(url.replace("smtp:", "http:"), {}, b"{}", until)
        await http.close()

    if case.phase is None:
        assert isinstance(answer, Reply)
        assert answer.status == case.status
    else:
        assert answer == Silence(case.phase, case.word, case.status)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:9", {Fault.UNREACHABLE}),
        ("http://no-such-host.invalid", {Fault.UNKNOWN_HOST, Fault.TIMEOUT}),
    ],
)
async def test_where_nobody_is_nothing_has_left(url: str, words: set[str]) -> None:
    http = Http()
    answer = await http.post(url, {}, b"{}", asyncio.get_running_loop().time() + 2)
    await http.close()

    assert isinstance(answer, Silence)
    assert answer.phase is Phase.CONNECT
    assert answer.word in words


@pytest.mark.parametrize(
    ("phase", "kind", "is_at_fault"),
    [
        (Phase.WAITING, OutcomeKind.THROTTLED, False),
        (Phase.LOGIN, OutcomeKind.TRANSIENT, True),
        (Phase.CONNECT, OutcomeKind.TRANSIENT, True),
        (Phase.SENT, OutcomeKind.AMBIGUOUS, True),
    ],
)
def test_only_what_may_have_left_is_ambiguous_and_what_was_not_tried_blames_nobody(
    phase: Phase, kind: OutcomeKind, is_at_fault: bool
) -> None:
    outcome = silent("somebody", Silence(phase, Fault.TIMEOUT), "code", "reason")

    assert (outcome.kind, outcome.provider_at_fault) == (kind, is_at_fault)
    assert (outcome.provider, outcome.code, outcome.reason) == ("somebody", "code", "reason")
