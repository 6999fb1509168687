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


async def test_a_text_beyond_ten_megabytes_is_read_to_its_end_and_refused() -> None:
    text = b"DATA\r\n" + b"x" * 11_000_000 + b"\r\n.\r\nQUIT\r\n"
    async with sandbox() as server:
        assert await answers_to(server, ENVELOPE % b"ada" + text) == ["250", "250", "354", "552", "221"]
        assert len(server.mailbox) == 0


async def test_a_late_answer_holds_back_those_that_follow_it() -> None:
    text = b"DATA\r\nSubject: late\r\n\r\n.\r\nVRFY a\r\nQUIT\r\n"
    async with sandbox() as server:
        assert await answers_to(server, ENVELOPE % b"slow" + text) == ["250", "250", "354", "250", "500", "221"]
