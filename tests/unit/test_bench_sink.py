"""The benchmark's mail sink: it takes what mail servers take, and counts every mail once."""

from __future__ import annotations

import asyncio
import json
from typing import cast

import pytest

from infrastructure.bench.matching import Mail
from infrastructure.bench.sink import obey
from infrastructure.bench.smtp import Session, Sink

ENVELOPE = b"MAIL FROM:<a@b>\r\nRCPT TO:<user1@example.test>\r\n"
TEXT = b"Subject: Parcel sent\r\n\r\nParcel #r-7 is on its way\r\n"
BY_DATA = ENVELOPE + b"DATA\r\n" + TEXT + b".\r\n"
BY_CHUNKS = ENVELOPE + b"BDAT 10\r\n" + TEXT[:10] + b"BDAT %d LAST\r\n" % (len(TEXT) - 10) + TEXT[10:]
ANSWERS_TO_DATA = ["220", "250", "250", "354", "250"]
ANSWERS_TO_CHUNKS = ["220", "250", "250", "250", "250"]


class Wire:
    """The transport of a conversation: it keeps what was said."""

    def __init__(self, sink: Sink) -> None:
        self.said, self.is_closed = b"", False
        self.session = Session(sink)
        self.session.connection_made(cast(asyncio.Transport, self))

    def write(self, data: bytes) -> None:
        self.said += data

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def hear(self, *parts: bytes) -> list[str]:
        for part in parts:
            self.session.data_received(part)
        return [line[:3].decode() for line in self.said.splitlines()]


@pytest.mark.parametrize(("mail", "answers"), [(BY_DATA, ANSWERS_TO_DATA), (BY_CHUNKS, ANSWERS_TO_CHUNKS)])
def test_a_mail_is_taken_once_wherever_its_bytes_are_cut(mail: bytes, answers: list[str]) -> None:
    for cut in range(len(mail) + 1):
        sink = Sink()

        said = Wire(sink).hear(mail[:cut], mail[cut:])

        assert said == answers
        assert [(taken.mark, taken.recipient) for taken in sink.mails] == [("r-7", "user1@example.test")]


def test_mails_that_come_together_are_answered_together_in_their_order() -> None:
    sink = Sink()

    said = Wire(sink).hear(b"EHLO me\r\n" + BY_DATA + BY_CHUNKS + b"RSET\r\nNOOP\r\nWHAT\r\nQUIT\r\n")

    assert [code for code in said if code != "250"] == ["220", "354", "500", "221"]
    assert len(sink.mails) == 2
    assert sink.marks == {"r-7"}


def test_an_empty_mail_ends_at_its_dot() -> None:
    sink = Sink()

    Wire(sink).hear(ENVELOPE + b"DATA\r\n.\r\n" + BY_DATA)

    assert [mail.mark for mail in sink.mails] == ["", "r-7"]


def test_extensions_are_offered_or_not() -> None:
    everything, nothing = Wire(Sink()), Wire(Sink(chunking=False, pipelining=False))

    for wire in (everything, nothing):
        wire.hear(b"EHLO me\r\n")

    assert b"CHUNKING" in everything.said
    assert b"PIPELINING" in everything.said
    assert b"CHUNKING" not in nothing.said
    assert b"PIPELINING" not in nothing.said
    assert nothing.hear(b"BDAT 3 LAST\r\n")[-1] == "501"


async def test_a_slow_server_lets_what_follows_wait_too() -> None:
    sink = Sink(latency_seconds=0.001)
    wire = Wire(sink)

    before = wire.hear(BY_DATA + BY_DATA)
    async with asyncio.timeout(5):
        while len(sink.mails) < 2 or wire.said.count(b"taken") < 2:  # noqa: ASYNC110 - a poll with a deadline
            await asyncio.sleep(0)

    assert before == ANSWERS_TO_DATA[:-1]
    assert wire.hear() == [*ANSWERS_TO_DATA, *ANSWERS_TO_DATA[1:]]


def test_what_it_is_told_to_swallow_it_takes_and_does_not_count() -> None:
    sink = Sink()
    wire = Wire(sink)

    obey(sink, "swallow 1\n")
    said = wire.hear(BY_DATA, BY_DATA)

    assert said[-1] == "250"
    assert len(sink.mails) == 1


def test_it_tells_what_it_took_until_it_is_told_to_forget() -> None:
    sink = Sink()
    Wire(sink).hear(BY_DATA, BY_DATA)

    counted, told = obey(sink, "count\n"), obey(sink, "tell\n")
    obey(sink, "forget\n")

    assert counted == "1"
    assert [Mail(*row) for row in json.loads(told)] == [
        Mail(json.loads(told)[place][0], "r-7", "user1@example.test") for place in range(2)
    ]
    assert obey(sink, "count\n") == "0"
