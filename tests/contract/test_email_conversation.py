"""The e-mail provider against a mail server that misbehaves, over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from aiosmtpd import smtp as other_implementation

from infrastructure.sandbox.moods import Outage
from shared.statuses import Channel, OutcomeKind
from tests.contract.mail_server import (
    ACCEPTED,
    AMBIGUOUS,
    EITHER_WAY,
    FAULT,
    IMPATIENT_SECONDS,
    KEY,
    LOCK_STEP,
    NEITHER,
    PERMANENT,
    PIPELINED,
    THROTTLED,
    TRANSIENT,
    client,
    judged,
    letter,
    other_server,
    port_of,
    sandbox,
    send_all,
    send_impatiently,
    until,
)
from tests.contract.mail_server import (
    kinds as kinds_of,
)


@pytest.mark.parametrize(("way", "kind"), [(LOCK_STEP, TRANSIENT), (PIPELINED, AMBIGUOUS)])
async def test_a_connection_cut_at_the_recipient_is_in_doubt_only_where_the_text_was_behind_it(
    way: frozenset[str], kind: OutcomeKind
) -> None:
    async with sandbox(not_offered=way) as server, client(server.url, connections=1) as provider:
        outcome = await provider.send(letter("reset@example.test"))
        afterwards = await provider.send(letter())

        assert judged(outcome) == (kind, FAULT)
        assert judged(afterwards) == (ACCEPTED, NEITHER)
        assert len(server.mailbox) == 1


@EITHER_WAY
@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("failtwice", [TRANSIENT, TRANSIENT, ACCEPTED]),
        ("fails-3", [TRANSIENT, TRANSIENT, TRANSIENT, ACCEPTED]),
        ("greylisted", [THROTTLED, THROTTLED, ACCEPTED]),
        ("cut", [AMBIGUOUS, ACCEPTED]),
        ("tempfail", [TRANSIENT, TRANSIENT, TRANSIENT, TRANSIENT]),
    ],
)
async def test_attempts_of_one_delivery_are_recognised_by_its_message_id(
    name: str, kinds: list[OutcomeKind], way: frozenset[str]
) -> None:
    async with sandbox(not_offered=way) as server, client(server.url) as provider:
        attempts = [await provider.send(letter(f"{name}@example.test", KEY)) for _ in kinds]
        another = await provider.send(letter(f"{name}@example.test", uuid4()))

        assert [attempt.kind for attempt in attempts] == kinds
        assert another.kind is kinds[0]


@EITHER_WAY
async def test_the_second_copy_after_a_lost_answer_carries_the_same_message_id(way: frozenset[str]) -> None:
    async with sandbox(not_offered=way) as server, client(server.url) as provider:
        first = await provider.send(letter("cut@example.test", KEY))
        second = await provider.send(letter("cut@example.test", KEY))

        assert (first.kind, second.kind) == (AMBIGUOUS, ACCEPTED)
        assert {mail.content.message_id for mail in server.mailbox.newest()} == {f"<{KEY}.0@example.test>"}
        assert second.provider_message_id == f"<{KEY}.0@example.test>"


@EITHER_WAY
async def test_a_mail_arrives_as_it_was_written(way: frozenset[str]) -> None:
    text = "Dear Ada,\n.\n..two dots\n.one dot\nGrüße"
    async with sandbox(not_offered=way) as server, client(server.url) as provider:
        await provider.send(letter("ada+x@example.test", text=text, html="<p>Hi</p>", subject="Grüße, Ada"))

        (mail,) = server.mailbox.newest(to="ada+x@example.test", channel=Channel.EMAIL)
        record = mail.as_record()
        assert record["text"].replace("\r\n", "\n") == text + "\n"
        assert record["html"] == "<p>Hi</p>\r\n"
        assert (record["subject"], record["from"]) == ("Grüße, Ada", "carillon@example.test")
        assert record["headers"]["To"] == "ada+x@example.test"
        assert record["size_bytes"] == len(mail.raw)


@EITHER_WAY
async def test_a_server_that_never_answers_the_dot_is_ambiguous_and_gives_the_connection_back_by_the_deadline(
    way: frozenset[str],
) -> None:
    async with sandbox(not_offered=way) as server, client(server.url, connections=1) as provider:
        outcome = await send_impatiently(provider, "hang@example.test")
        await until(lambda: not server.sessions)
        afterwards = await provider.send(letter())

        assert judged(outcome) == (AMBIGUOUS, FAULT)
        assert outcome.code == "smtp timeout at final dot"
        assert afterwards.kind is ACCEPTED
        assert len(server.mailbox) == 2


@EITHER_WAY
async def test_a_slow_server_past_the_deadline_is_ambiguous_although_it_has_the_mail(way: frozenset[str]) -> None:
    async with sandbox(not_offered=way) as server, client(server.url, connections=1) as provider:
        outcome = await send_impatiently(provider, "slow@example.test")

        assert judged(outcome) == (AMBIGUOUS, FAULT)
        assert len(server.mailbox.newest(to="slow@example.test")) == 1


@EITHER_WAY
async def test_a_mail_that_waits_for_a_connection_until_its_deadline_is_put_off_and_blames_nobody(
    way: frozenset[str],
) -> None:
    async with sandbox(not_offered=way) as server, client(server.url, connections=1) as provider:
        hanging = asyncio.create_task(provider.send(letter("hang@example.test")))
        await until(lambda: bool(server.sessions))
        provider.deadline_seconds = IMPATIENT_SECONDS
        waiting = await provider.send(letter())
        hanging.cancel()

        assert judged(waiting) == (THROTTLED, NEITHER)
        assert len(server.mailbox) == 0


@pytest.mark.parametrize(("way", "kind", "kept"), [(LOCK_STEP, TRANSIENT, 0), (PIPELINED, AMBIGUOUS, 1)])
async def test_a_server_that_answers_too_late_is_in_doubt_only_where_the_text_had_left(
    way: frozenset[str], kind: OutcomeKind, kept: int
) -> None:
    moods = {"latency_seconds": 0.4, "not_offered": way}
    async with sandbox(**moods) as server, client(server.url, deadline_seconds=1.7) as provider:
        outcome = await provider.send(letter())

        assert judged(outcome) == (kind, FAULT)
        assert outcome.code.startswith("smtp timeout at ")
        assert len(server.mailbox) <= kept


async def test_a_mail_whose_dot_never_left_this_machine_is_not_ambiguous() -> None:
    """The server stops reading in the middle of a text that no socket's buffers can hold."""

    async def read_little(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        for answer in (b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            await reader.readline()
            writer.write(answer)
        await given_up.wait()
        received.append(await reader.read())

    given_up = asyncio.Event()
    received: list[bytes] = []
    async with other_server(read_little) as url, client(url, 1, deadline_seconds=2) as provider:
        outcome = await provider.send(letter(text="a long line of text\n" * 700_000))
        given_up.set()

    assert judged(outcome) == (TRANSIENT, FAULT)
    assert outcome.code == "smtp timeout at data"
    assert not any(text.endswith(b"\r\n.\r\n") for text in received)


async def test_a_server_that_falls_silent_between_two_mails_is_at_fault() -> None:
    async def answer_one_mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        for answer in (b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            await reader.readline()
            writer.write(answer)
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 kept\r\n")
        await reader.read()

    async with other_server(answer_one_mail) as url, client(url, 1) as provider:
        outcome = await send_impatiently(provider, "ada@example.test")

    assert judged(outcome) == (TRANSIENT, FAULT)
    assert outcome.code == "smtp timeout at sender"


@pytest.mark.parametrize(
    ("answers", "kind", "code"),
    [
        (["250 hi", "354 what"], TRANSIENT, "smtp 354"),
        (["250 hi", "250 ok", "?!#"], TRANSIENT, "smtp garbled at recipient"),
        (["250 hi", "250 ok", "250 ok", "250 what"], TRANSIENT, "smtp 250"),
        (["250 hi", "250 ok", "250 ok", "354 go", "354 again"], AMBIGUOUS, "smtp 354"),
        (["250 hi", "250 ok", "250 ok", "354 go", "999 what"], AMBIGUOUS, "smtp garbled at final dot"),
    ],
)
async def test_an_answer_out_of_step_is_the_servers_fault_and_ends_the_connection(
    answers: list[str], kind: OutcomeKind, code: str
) -> None:
    async def out_of_step(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        for unit, answer in zip(units, answers, strict=False):
            await reader.readuntil(unit)
            writer.write(f"{answer}\r\n".encode())
        ended.append(await reader.read() == b"")

    units = [b"\r\n"] * 4 + [b"\r\n.\r\n"]
    ended: list[bool] = []
    async with other_server(out_of_step) as url, client(url, connections=1) as provider:
        outcome = await provider.send(letter())

    assert judged(outcome) == (kind, FAULT)
    assert outcome.code == code
    assert ended == [True]


@pytest.mark.parametrize(
    ("outage", "kind", "mark"), [(Outage.RESET, TRANSIENT, FAULT), (Outage.BANNER, THROTTLED, NEITHER)]
)
async def test_a_server_that_is_out_of_order_is_tried_again_once_it_is_back(
    outage: Outage, kind: OutcomeKind, mark: str
) -> None:
    async with sandbox(outage=outage) as server, client(server.url) as provider:
        during = await provider.send(letter())
        server.moods.outage = None
        afterwards = await provider.send(letter())

        assert judged(during) == (kind, mark)
        assert afterwards.kind is ACCEPTED


@EITHER_WAY
async def test_a_server_that_is_stopped_refuses_and_takes_mail_again_when_it_is_back(way: frozenset[str]) -> None:
    async with sandbox(not_offered=way) as server, client(server.url) as provider:
        await provider.send(letter())
        await server.stop()
        during = await provider.send(letter())
        await server.start(port=server.port)
        afterwards = await provider.send(letter())

        assert judged(during) == (TRANSIENT, FAULT)
        assert during.code == "smtp refused at connect"
        assert afterwards.kind is ACCEPTED


async def test_a_server_whose_name_is_unknown_is_safe_to_try_again() -> None:
    async with client("smtp://no-such-host.invalid") as provider:
        assert judged(await provider.send(letter())) == (TRANSIENT, FAULT)


@EITHER_WAY
async def test_a_share_of_failures_is_tried_again_and_the_same_seed_fails_the_same_mails(way: frozenset[str]) -> None:
    runs = []
    for _ in range(2):
        async with sandbox(not_offered=way, error_rate=0.5, seed=7) as server, client(server.url) as provider:
            runs.append([(await provider.send(letter())).kind for _ in range(20)])

    assert runs[0] == runs[1]
    assert set(runs[0]) == {ACCEPTED, TRANSIENT}


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ({"address": "ada@example.test>\r\nRCPT TO:<eve@example.test"}, "smtp address malformed"),
        ({"address": "nobody"}, "smtp address malformed"),
        ({"subject": "Hello\r\nBcc: eve@example.test"}, "smtp header refused"),
        ({"options": {"reply_to": "ada@example.test\r\nBcc: eve@example.test"}}, "smtp header refused"),
        ({"options": {"attachments": [{"filename": "a\r\nBcc: eve@example.test"}]}}, "smtp attachment refused"),
    ],
)
async def test_what_would_smuggle_a_command_or_a_header_is_never_sent(broken: dict[str, Any], code: str) -> None:
    async with sandbox() as server, client(server.url) as provider:
        outcome = await provider.send(letter(**broken))

        assert judged(outcome) == (PERMANENT, NEITHER)
        assert outcome.code == code
        assert "eve" not in repr(outcome)
        assert server.connections_opened == 0


@EITHER_WAY
@pytest.mark.parametrize(("not_offered", "kind", "kept"), [((), ACCEPTED, 1), (("SMTPUTF8",), PERMANENT, 0)])
async def test_an_address_beyond_ascii_needs_a_server_that_takes_it(
    not_offered: tuple[str, ...], kind: OutcomeKind, kept: int, way: frozenset[str]
) -> None:
    async with sandbox(not_offered=way.union(not_offered)) as server, client(server.url) as provider:
        outcomes = await send_all(provider, [letter(), letter("ädä@bücher.example"), letter()])

        assert kinds_of(outcomes) == [ACCEPTED, kind, ACCEPTED]
        assert len(server.mailbox.newest(to="ädä@bücher.example")) == kept


async def test_a_server_from_before_extensions_is_spoken_to_plainly() -> None:
    async with sandbox(not_offered=frozenset({"EHLO"})) as server, client(server.url) as provider:
        assert (await provider.send(letter())).kind is ACCEPTED


@EITHER_WAY
async def test_a_mail_that_is_too_big_is_refused_before_it_is_sent(way: frozenset[str]) -> None:
    async with sandbox(not_offered=way) as server, client(server.url) as provider:
        outcome = await provider.send(letter(text="a long line of text\n" * 600_000))

        assert judged(outcome) == (PERMANENT, NEITHER)
        assert outcome.code == "smtp 552 5.3.4"


class Kept:
    """What another implementation's server received."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], bytes]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.original_content))
        return "250 2.0.0 Kept"


async def test_another_mail_server_understands_us_as_well() -> None:
    kept = Kept()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: other_implementation.SMTP(kept, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0
    )
    async with server, client(f"smtp://127.0.0.1:{port_of(server)}", 1) as provider:
        outcomes = [
            await provider.send(letter(to, text=".\n..\nGrüße")) for to in ("ada@example.test", "ädä@example.test")
        ]
        refused = await provider.send(letter(text="a long line of text\n" * 2_000_000))

    assert [outcome.kind for outcome in outcomes] == [ACCEPTED, ACCEPTED]
    assert judged(refused) == (PERMANENT, NEITHER)
    assert [(sender, to) for sender, to, _ in kept.mails] == [
        ("carillon@example.test", ["ada@example.test"]),
        ("carillon@example.test", ["ädä@example.test"]),
    ]
