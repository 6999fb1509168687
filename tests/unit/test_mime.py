"""What the composer writes is what the standard library's parser reads."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.deliver_email.headers import HeaderRefused, text_header
from functions.deliver_email.mime import Composer
from functions.deliver_email.sender import Sender
from functions.deliver_email.unsubscribe_links import UnsubscribeLinks
from shared.errors import SettingMissing
from shared.outcomes import Letter
from shared.statuses import Channel
from shared.unsubscribing import Subscription, read_token

KEY = UUID("0b5a3c1e-6a4f-5c0e-9b51-1f4f0a6d2c11")
NOTIFICATION = UUID("5f0e2a9c-1f63-5d0b-8a57-6f6f0b8a2e10")
SENDER = Sender.parse("Carillon <carillon@example.test>")
SECRET = b"0123456789abcdef0123456789abcdef"
NOW = 1_700_000_000.0

header_text = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=300)
ascii_header = st.text(st.sampled_from("ab ?=_.:,;<>()@\"\\'%&!0123456789"), max_size=200)
body_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=400)
ascii_body = st.text(st.sampled_from("ab .=-_\n\tFrom"), max_size=400)


def letter(subject: str = "Hello", text: str = "Hi there.", html: str | None = None, **options: Any) -> Letter:
    return Letter(
        notification_id=NOTIFICATION,
        tenant="default",
        user_id="1",
        channel=Channel.EMAIL,
        address="ada@example.test",
        subject=subject,
        text=text,
        html=html,
        idempotency_key=KEY,
        options=options,
    )


def compose(sent: Letter, sender: Sender = SENDER) -> bytes:
    return Composer(sender).compose(sent, NOW).message


async def secret() -> bytes:
    return SECRET


async def with_link(sent: Letter, public_url: str) -> bytes:
    links = UnsubscribeLinks(public_url, secret)
    await links.prepare()
    return Composer(SENDER, links).compose(sent, NOW).message


def read(raw: bytes) -> EmailMessage:
    mail = message_from_bytes(raw, policy=default)
    assert not mail.defects
    return mail


def content(mail: EmailMessage, subtype: str) -> str:
    part = mail.get_body((subtype,))
    assert part is not None
    assert not part.defects
    return str(part.get_content()).replace("\r\n", "\n")


def as_lines(text: str) -> str:
    """A text in a mail is lines, and each of them has an end."""
    return text if text.endswith("\n") else text + "\n"


@settings(database=None, deadline=None, max_examples=60)
@given(subject=header_text | ascii_header, text=body_text | ascii_body, html=st.none() | body_text | ascii_body)
def test_what_is_written_is_what_is_read(subject: str, text: str, html: str | None) -> None:
    raw = compose(letter(subject, text, html))

    mail = read(raw)
    assert str(mail["Subject"]) == subject
    assert content(mail, "plain") == as_lines(text)
    assert (mail.get_body(("html",)) is None) is (html is None)
    if html is not None:
        assert content(mail, "html") == as_lines(html)


@settings(database=None, deadline=None, max_examples=60)
@given(subject=header_text | ascii_header, text=body_text | ascii_body, html=st.none() | body_text)
def test_no_line_is_longer_than_a_server_must_take(subject: str, text: str, html: str | None) -> None:
    raw = compose(letter(subject, text, html))

    assert raw.endswith(b"\r\n")
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)


@settings(database=None, deadline=None, max_examples=60)
@given(name=st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=11) | ascii_header)
def test_the_senders_name_is_read_as_it_was_set(name: str) -> None:
    # Not longer than one encoded word: between two of them in a name, Python 3.11's parser leaves a space.
    sender = Sender(name=" ".join(name.split()), address="carillon@example.test")

    mail = read(compose(letter(), sender))

    (address,) = mail["From"].addresses
    assert (address.display_name, address.addr_spec) == (sender.name, sender.address)


@settings(database=None, deadline=None, max_examples=60)
@given(before=st.text(max_size=20), bad=st.sampled_from("\r\n\0"), after=st.text(max_size=20))
def test_a_line_break_in_a_subject_is_refused_rather_than_sent(before: str, bad: str, after: str) -> None:
    with pytest.raises(HeaderRefused):
        compose(letter(f"{before}{bad}{after}"))


@pytest.mark.parametrize(
    "bad",
    [
        {"subject": "a\nb"},
        {"address": "a\r\nb"},
        {"options": {"reply_to": "ada@example.test\r\nBcc: eve@example.test"}},
        {"options": {"reply_to": "ada@example.test, eve@example.test"}},
        {"options": {"reply_to": "ädä@example.test"}},
    ],
)
def test_what_would_be_refused_is_known_before_anything_is_written(bad: dict[str, Any]) -> None:
    with pytest.raises(HeaderRefused):
        Composer(SENDER).check(replace(letter(), **bad))


def test_mails_of_one_second_share_its_date_and_the_next_has_its_own() -> None:
    dates = [read(Composer(SENDER).compose(letter(), NOW + later).message)["Date"] for later in (0, 0.9, 1, 0)]

    assert [parsedate_to_datetime(date).second for date in dates] == [20, 20, 21, 20]


def test_a_subject_cannot_add_a_recipient() -> None:
    with pytest.raises(HeaderRefused, match=r"^Subject$"):
        compose(letter("Hello\r\nBcc: eve@example.test"))


def test_a_plain_message_is_readable_as_it_is_on_the_wire() -> None:
    raw = compose(letter("Your order 42 has shipped", "Dear Ada,\n\nit is on its way.\n"))

    assert b"\r\nSubject: Your order 42 has shipped\r\n" in raw
    assert b"\r\nContent-Transfer-Encoding: 7bit\r\n" in raw
    assert raw.endswith(b"\r\n\r\nDear Ada,\r\n\r\nit is on its way.\r\n")


def test_a_long_plain_subject_is_folded_between_words_and_stays_readable() -> None:
    subject = " ".join(["reminder"] * 30)

    header = text_header("Subject", subject)

    assert max(map(len, header.split("\r\n"))) <= 78
    assert header.replace("\r\n", "") == f"Subject: {subject}"


def test_a_subject_in_another_script_is_written_in_words_that_each_stand_alone() -> None:
    header = text_header("Subject", "พัสดุของคุณกำลังมา " * 20)

    words = header.removeprefix("Subject: ").split("\r\n ")
    assert max(map(len, words)) <= 75
    for word in words:
        base64.b64decode(word.removeprefix("=?utf-8?b?").removesuffix("?=")).decode()


def test_a_subject_that_looks_like_an_encoded_word_is_read_as_it_was_written() -> None:
    mail = read(compose(letter("=?utf-8?b?SGk=?=")))

    assert str(mail["Subject"]) == "=?utf-8?b?SGk=?="


@pytest.mark.parametrize("text", ["x" * 2000, "word " * 500, "a\0b"])
def test_a_text_that_no_server_would_take_as_it_is_arrives_all_the_same(text: str) -> None:
    raw = compose(letter(text=text))

    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\0" not in raw
    assert content(read(raw), "plain") == as_lines(text)


def test_mostly_plain_text_stays_legible_and_other_text_stays_short() -> None:
    german = compose(letter(text="Ihr Paket ist unterwegs. Schöne Grüße aus dem Lager in Hamburg."))
    thai = compose(letter(text="พัสดุของคุณกำลังมา"))

    assert b"quoted-printable" in german
    assert b"Ihr Paket ist unterwegs." in german
    assert b"base64" in thai


def test_every_attempt_of_a_delivery_carries_the_same_message_id() -> None:
    first, second = read(compose(letter())), read(compose(replace(letter(), attempt=2)))
    another_life = read(compose(replace(letter(), epoch=1)))

    assert first["Message-ID"] == second["Message-ID"] == f"<{NOTIFICATION}.0@example.test>"
    assert another_life["Message-ID"] == f"<{NOTIFICATION}.1@example.test>"


def test_a_mail_says_when_it_was_written_and_that_a_machine_wrote_it() -> None:
    mail = read(compose(letter()))

    assert parsedate_to_datetime(mail["Date"]).replace(tzinfo=UTC) == datetime.fromtimestamp(NOW, UTC)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["MIME-Version"] == "1.0"
    assert str(mail["To"]) == "ada@example.test"


async def test_one_click_unsubscription_is_offered_over_https_alone() -> None:
    secure = read(await with_link(letter(), "https://notify.example.test"))
    local = read(await with_link(letter(), "http://localhost:8000/"))

    link = str(secure["List-Unsubscribe"])
    assert link.startswith("<https://notify.example.test/unsubscribe/")
    assert secure["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert str(local["List-Unsubscribe"]).startswith("<http://localhost:8000/unsubscribe/")
    assert local["List-Unsubscribe-Post"] is None
    assert read(compose(letter()))["List-Unsubscribe"] is None


async def test_the_link_names_who_gets_what_so_that_a_click_needs_no_login() -> None:
    mail = read(await with_link(replace(letter(), tenant="shop", user_id="Zoë", category="offers"), "https://n.test"))

    token = str(mail["List-Unsubscribe"]).removeprefix("<https://n.test/unsubscribe/").removesuffix(">")
    assert read_token(SECRET, token) == Subscription(
        tenant="shop", user_id="Zoë", category="offers", channel=Channel.EMAIL
    )


async def test_a_link_too_long_for_a_line_is_left_out_rather_than_the_mail() -> None:
    mail = await with_link(replace(letter(), user_id="\U0001f600" * 128), f"https://{'n' * 200}.test")

    assert read(mail)["List-Unsubscribe"] is None


@pytest.mark.parametrize("url", ["", "notify.test", "ftp://x", "https://n.test/>", "https://n.test\r\nBcc: a@b.test"])
def test_an_address_of_ours_that_no_mail_can_hold_stops_the_start(url: str) -> None:
    with pytest.raises(SettingMissing, match="PUBLIC_URL"):
        UnsubscribeLinks(url, secret)


def test_a_body_that_contains_the_boundary_is_not_cut_there() -> None:
    text = f"--=_{KEY.hex}\n--=_{KEY.hex}--\nstill here"

    mail = read(compose(letter(text=text, html="<p>Hi</p>")))

    assert content(mail, "plain") == as_lines(text)


@pytest.mark.parametrize(
    "text", ["", "Carillon", "Carillon <>", "Carillon <carillon@exämple.test>", "a@b.test, c@d.test"]
)
def test_a_sender_that_no_server_would_take_stops_the_start(text: str) -> None:
    with pytest.raises(SettingMissing, match="EMAIL_FROM"):
        Sender.parse(text)
