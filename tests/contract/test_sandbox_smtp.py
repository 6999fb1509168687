"""The sandbox's mail server, for clients other than ours."""

from __future__ import annotations

import asyncio

import pytest

from infrastructure.sandbox.mailbox import Mailbox
from infrastructure.sandbox.smtp import SandboxSmtp
from tests.contract.mail_server import PATIENT_SECONDS, client, letter, sandbox

ENVELOPE = b"MAIL FROM:<a@example.test>\r\nRCPT TO:<%s@example.test>\r\n"


async def test_the_sandbox_takes_pipelined_commands_and_chunks() -> None:
    async with sandbox() as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        mail = b"Subject: chunks\r\n\r\n.\r\nnot the end\r\n"
        writer.write(
            b"EHLO client.example.test\r\nMAIL FROM:<carillon@example.test> SIZE=10\r\nRCPT TO:<ada@example.test>\r\n"
            + b"BDAT %d\r\n" % 10
            + mail[:10]
            + b"BDAT %d LAST\r\n" % (len(mail) - 10)
            + mail[10:]
            + b"NOOP\r\nMAIL nonsense\r\nRCPT TO:<ada@example.test>\r\nDATA\r\nBDAT x\r\nVRFY ada\r\nRSET\r\nQUIT\r\n"
        )
        answers = (await reader.read()).decode().splitlines()
        writer.close()

        finals = [answer.split(" ")[0] for answer in answers if answer[3] == " "]
        assert " ".join(finals) == "220 250 250 250 250 250 250 501 503 503 501 500 250 221"
        assert [kept.raw for kept in server.mailbox.newest()] == [mail]


async def test_the_mailbox_keeps_the_newest_and_counts_them_all() -> None:
    server = SandboxSmtp(Mailbox(newest_kept=3))
    await server.start()
    async with client(server.url, 1) as provider:
        for number in range(5):
            await provider.send(letter(subject=f"mail {number}"))
    await server.stop()

    assert [mail.content.subject for mail in server.mailbox.newest()] == ["mail 4", "mail 3", "mail 2"]
    assert server.mailbox.total == 5


async def answers_to(server: SandboxSmtp, said: bytes) -> list[str]:
    """Say everything at once, and return the codes of the answers but for the greeting."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(said)
    async with asyncio.timeout(PATIENT_SECONDS):
        answers = (await reader.read()).decode().splitlines()
    writer.close()
    return [answer[:3] for answer in answers[1:]]


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ("MAIL FROM:<a@example.test> SIZE=99999999\r\n", ["552"]),
        ("MAIL FROM:<a@example.test>\r\nRCPT TO:<ädä@example.test>\r\n", ["250", "553"]),
        ("MAIL FROM:<a@example.test>\r\nMAIL FROM:<a@example.test>\r\n", ["250", "503"]),
        ("AUTH PLAIN AHVzZXIAcHc=\r\nSTARTTLS\r\n", ["504", "454"]),
    ],
)
async def test_the_sandbox_refuses_what_a_mail_server_refuses(said: str, codes: list[str]) -> None:
    async with sandbox() as server:
        assert await answers_to(server, said.encode() + b"QUIT\r\n") == [*codes, "221"]


def mail_in_a_pipeline(name: str, *chunks: bytes) -> bytes:
    sizes = [b"BDAT %d%b\r\n%b" % (len(chunk), b" LAST" * (chunk is chunks[-1]), chunk) for chunk in chunks]
    return ENVELOPE % name.encode() + b"".join(sizes)


TEXT = b"Subject: pipelined\r\n\r\nRSET\r\n.\r\n"


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("refused", ["250", "550", "503"]),
        ("tempfail", ["250", "451", "503"]),
        ("spam", ["250", "250", "554"]),
        ("ada", ["250", "250", "250"]),
    ],
)
async def test_a_mail_that_is_refused_in_a_pipeline_swallows_its_text_and_leaves_the_others_alone(
    name: str, codes: list[str]
) -> None:
    said = mail_in_a_pipeline("bob", TEXT) + mail_in_a_pipeline(name, TEXT) + mail_in_a_pipeline("eve", TEXT)
    async with sandbox() as server:
        assert await answers_to(server, said + b"QUIT\r\n") == [*["250"] * 3, *codes, *["250"] * 3, "221"]
        assert [mail.raw for mail in server.mailbox.newest()] == [TEXT] * (2 + (name == "ada"))


async def test_every_chunk_behind_a_refusal_is_read_and_refused() -> None:
    said = mail_in_a_pipeline("full", b"one\r\n", b"two\r\n", b"") + mail_in_a_pipeline("ada", b"one\r\n", TEXT)
    async with sandbox() as server:
        answers = await answers_to(server, said + b"QUIT\r\n")

        assert answers == ["250", "552", "503", "503", "503", "250", "250", "250", "250", "221"]
        assert [mail.raw for mail in server.mailbox.newest()] == [b"one\r\n" + TEXT]


@pytest.mark.parametrize(
    ("name", "answered", "kept"), [("cut", 5, 2), ("reset", 4, 1), ("garbage", 9, 2), ("throttled", 5, 1)]
)
async def test_what_was_answered_before_a_server_hangs_up_arrives(name: str, answered: int, kept: int) -> None:
    said = mail_in_a_pipeline("bob", TEXT) + mail_in_a_pipeline(name, TEXT) + mail_in_a_pipeline("eve", TEXT)
    async with sandbox() as server:
        answers = await answers_to(server, said + b"QUIT\r\n" * (name == "garbage"))

        assert answers[:3] == ["250"] * 3
        assert len(answers) - (name == "garbage") == answered
        assert len(server.mailbox) == kept


async def test_a_text_beyond_ten_megabytes_is_read_to_its_end_and_refused() -> None:
    text = b"DATA\r\n" + b"x" * 11_000_000 + b"\r\n.\r\nQUIT\r\n"
    async with sandbox() as server:
        assert await answers_to(server, ENVELOPE % b"ada" + text) == ["250", "250", "354", "552", "221"]
        assert len(server.mailbox) == 0


async def test_a_late_answer_holds_back_those_that_follow_it() -> None:
    text = b"DATA\r\nSubject: late\r\n\r\n.\r\nVRFY a\r\nQUIT\r\n"
    async with sandbox() as server:
        assert await answers_to(server, ENVELOPE % b"slow" + text) == ["250", "250", "354", "250", "500", "221"]
