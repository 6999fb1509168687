"""Mails in HTML and with files: the standard library's parser reads back what was put in, and nothing else."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from functions.deliver_email.attachments import AttachmentRefused
from functions.deliver_email.mime import Composer
from functions.deliver_email.sender import Sender
from shared.addresses import check_address, on_the_wire
from shared.errors import Permanent
from shared.options import MAX_ATTACHED_BYTES, MAX_ATTACHMENTS
from shared.outcomes import Letter
from shared.statuses import Channel

KEY = UUID("0b5a3c1e-6a4f-5c0e-9b51-1f4f0a6d2c11")
COMPOSER = Composer(Sender.parse("Carillon <carillon@example.test>"))
HEADERS = ("From", "To", "Subject", "Message-ID", "Date", "Auto-Submitted", "MIME-Version", "Content-Type")
PART_HEADERS = ("Content-Type", "Content-Transfer-Encoding") * 2 + ("Content-Disposition",)
QUICK = settings(max_examples=60, deadline=None, database=None)

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=200)
file_name = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\\\x7f" + "".join(map(chr, range(32)))), min_size=1
).map(lambda name: name[:255].strip() or "x")
hostile = st.text("aé\r\n\0\t :;<>@,\"'=?%()*", max_size=25)
hostile_address = st.just("ada@example.test") | st.builds("{}@example.test{}".format, hostile, hostile)
media_type = st.sampled_from(["application/pdf", "text/plain", "image/svg+xml", "text/calendar", "x-a/x.b_c-d"])


def letter(options: dict[str, Any], html: str | None = None, words: str = "Hi there.") -> Letter:
    return Letter(
        notification_id=KEY,
        tenant="default",
        user_id="1",
        channel=Channel.EMAIL,
        address="ada@example.test",
        subject="Hello",
        text=words,
        html=html,
        idempotency_key=KEY,
        options=options,
    )


def file(content: bytes = b"%PDF", name: str = "invoice.pdf", kind: str = "application/pdf") -> dict[str, str]:
    return {"filename": name, "content_type": kind, "content": base64.b64encode(content).decode()}


def read(options: dict[str, Any], html: str | None = None, words: str = "Hi there.") -> EmailMessage:
    sent = letter(options, html, words)
    COMPOSER.check(sent)
    raw = COMPOSER.compose(sent, 1_700_000_000.0).message
    assert raw.isascii()
    assert raw.endswith(b"\r\n")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    mail = message_from_bytes(raw, policy=default)
    assert [defect for part in mail.walk() for defect in part.defects] == []
    return mail


def words_of(mail: EmailMessage, subtype: str) -> str | None:
    part = mail.get_body((subtype,))
    return None if part is None else str(part.get_content()).replace("\r\n", "\n").removesuffix("\n")


@QUICK
@given(files=st.lists(st.tuples(st.binary(max_size=400), file_name, media_type), max_size=3), words=text, html=text)
@example(files=[(b"", "a\"b;=?utf-8?b?SGk=?=%20''.pdf", "text/plain")], words="--=_with_", html="")
@example(files=[(b"x" * 57, "ประกาศ" * 42, "application/pdf")], words="", html="<p>")
def test_what_hangs_on_a_mail_is_read_back_to_the_byte(
    files: list[tuple[bytes, str, str]], words: str, html: str
) -> None:
    options = {"html": html, "attachments": [file(*each) for each in files]}

    mail = read(options, words=words)

    assert words_of(mail, "plain") == words.removesuffix("\n")
    assert words_of(mail, "html") == html.removesuffix("\n")
    found = [
        (part.get_payload(decode=True), part.get_filename(), part.get_content_type())
        for part in mail.iter_attachments()
    ]
    assert found == files
    assert {part.get_content_disposition() for part in mail.iter_attachments()} <= {"attachment"}
    assert sorted(mail.keys()) == sorted(HEADERS)


@QUICK
@given(subject=hostile, address=hostile_address, reply_to=hostile_address, name=hostile)
@example(subject="Hi", address="ada@example.test", reply_to="a@example.test, eve@example.test", name="a")
@example(subject="Hi", address="ada@example.test", reply_to="ada@example.test", name='a"\r\nBcc: eve@example.test')
def test_nothing_that_anybody_says_makes_a_second_recipient_or_another_header(
    subject: str, address: str, reply_to: str, name: str
) -> None:
    said = replace(letter({"reply_to": reply_to, "attachments": [file(name=name)]}), subject=subject, address=address)
    try:
        check_address(address)
        COMPOSER.check(said)
    except Permanent:
        return

    mail = message_from_bytes(COMPOSER.compose(said, 1_700_000_000.0).message, policy=default)

    assert sorted(mail.keys()) == sorted([*HEADERS, "Reply-To"])
    found = [one.addr_spec for name in ("To", "Reply-To") for one in mail[name].addresses]
    assert [spec.encode(errors="surrogateescape").decode() for spec in found] == [
        on_the_wire(address),
        on_the_wire(reply_to),
    ]
    assert sorted(name for part in mail.iter_parts() for name in part) == sorted(PART_HEADERS)


@pytest.mark.parametrize(
    ("html", "options", "structure"),
    [
        (None, {}, ["text/plain"]),
        ("<p>Hi</p>", {}, ["multipart/alternative", "text/plain", "text/html"]),
        (None, {"html": "<p>Hi</p>"}, ["multipart/alternative", "text/plain", "text/html"]),
        (None, {"attachments": [file()]}, ["multipart/mixed", "text/plain", "application/pdf"]),
        (
            None,
            {"html": "<p>Hi</p>", "attachments": [file(), file()]},
            [
                *("multipart/mixed", "multipart/alternative", "text/plain", "text/html"),
                *("application/pdf", "application/pdf"),
            ],
        ),
    ],
)
def test_a_mail_has_as_many_parts_as_it_needs(html: str | None, options: dict[str, Any], structure: list[str]) -> None:
    mail = read(options, html)

    assert [part.get_content_type() for part in mail.walk()] == structure
    boundaries = [part.get_boundary() or "" for part in mail.walk() if part.is_multipart()]
    assert not any(one is not other and other.startswith(one) for one in boundaries for other in boundaries)


def test_the_html_of_an_event_goes_before_that_of_its_template() -> None:
    mail = read({"html": "<p>of the event</p>"}, "<p>of the template</p>")

    assert words_of(mail, "html") == "<p>of the event</p>"


@pytest.mark.parametrize(
    ("said", "written"),
    [("help@example.test", "help@example.test"), ("help@bücher.example", "help@xn--bcher-kva.example")],
)
def test_answers_go_where_the_event_says(said: str, written: str) -> None:
    mail = read({"reply_to": said})

    (address,) = mail["Reply-To"].addresses
    assert address.addr_spec == written


@pytest.mark.parametrize(
    "files",
    [
        [file(name="a\r\nBcc: eve@example.test")],
        [file(name='../../etc/passwd"')],
        [file(name=" ")],
        [file(name="a" * 256)],
        [file(kind="text/plain\r\nBcc: eve@example.test")],
        [file(kind='text/plain; name="x"')],
        [file(kind="multipart/mixed")],
        [file(kind="Message/rfc822")],
        [{**file(), "content": "no base64!"}],
        [{**file(), "content": "AAAAA"}],
        [{**file(), "content": "AAAA\r\n--=_with_0b5a"}],
        [{**file(), "inline": True}],
        [file()] * (MAX_ATTACHMENTS + 1),
        [file(b"x" * MAX_ATTACHED_BYTES), file(b"x")],
        "invoice.pdf",
    ],
)
def test_a_file_that_cannot_hang_on_a_mail_is_known_before_anything_is_written(files: Any) -> None:
    with pytest.raises(AttachmentRefused) as refused:
        COMPOSER.check(letter({"attachments": files}))

    assert not re.search("eve|passwd|invoice", str(refused.value))


def test_five_megabytes_together_may_hang_on_a_mail() -> None:
    half = file(b"x" * (MAX_ATTACHED_BYTES // 2))

    mail = read({"attachments": [half, half]})

    assert [len(part.get_payload(decode=True)) for part in mail.iter_attachments()] == [MAX_ATTACHED_BYTES // 2] * 2


def test_every_attempt_of_a_mail_with_files_is_the_same_to_the_byte() -> None:
    sent = letter({"html": "<p>Hi</p>", "attachments": [file()]})

    first, second = (COMPOSER.compose(replace(sent, attempt=attempt), 1_700_000_000.0) for attempt in (1, 2))

    assert first == second
