"""What comes back of a mail finds its notification, says what became of it, and can do no harm."""

from __future__ import annotations

import json
from time import process_time
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.deliver_email.mime import Composer
from functions.deliver_email.sender import Sender
from shared.bounces import DELIVERED, FAILED, Bounce, read_bounce
from shared.outcomes import Letter
from shared.statuses import Channel

NOTIFICATION = UUID("5f0e2a9c-1f63-5d0b-8a57-6f6f0b8a2e10")
JSON, MAILS = "application/json", "message/rfc822"
GONE, UNREACHABLE = "the address does not exist", "the receiving server could not be reached in time"
MAIL = (
    Composer(Sender.parse("Carillon <carillon@example.test>"))
    .compose(
        Letter(
            notification_id=NOTIFICATION,
            tenant="default",
            user_id="1",
            channel=Channel.EMAIL,
            address="ada@example.test",
            subject="Hello",
            text="Hi Ada.",
            html="<p>Hi Ada.</p>",
            idempotency_key=UUID(int=1),
            epoch=2,
        )
    )
    .message
)


def about(receipt: str, reason: str, *, suppress: bool = False) -> Bounce:
    return Bounce(notification_id=NOTIFICATION, epoch=2, receipt=receipt, reason=reason, suppress=suppress)


REPORT = """\
From: MAILER-DAEMON@mx.test
To: carillon@example.test
Message-ID: <20261120.1@mx.test>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"

--=_b
Content-Type: text/plain

<ada@example.test>: host mx.test said: 550 no such user
Status: 4.0.0

--=_b
Content-Type: {kind}

{fields}
--=_b
Content-Type: {returned_as}

{returned}
--=_b--
"""
HEADERS, WHOLE = "text/rfc822-headers", "message/rfc822"


def report(*blocks: str, returned: bytes = MAIL, returned_as: str = HEADERS, kind: str = "delivery-status") -> bytes:
    """Write a report as a mail server does: for people, for machines, and the mail or its headers."""
    text = returned.decode().replace("\r\n", "\n")
    if returned_as == HEADERS:
        text = text.partition("\n\n")[0] + "\n"
    fields = "\n".join(blocks)
    written = REPORT.format(kind=f"message/{kind}", fields=fields, returned_as=returned_as, returned=text)
    return written.replace("\n", "\r\n").encode()


def recipient(action: str, status: str, final: str = "rfc822; ada@example.test") -> str:
    """Write what is said of one recipient, behind what is said of the server."""
    said = f"Final-Recipient: {final}\nAction: {action}\nStatus: {status}\n"
    return f"Reporting-MTA: dns; mx.test\n\n{said}Diagnostic-Code: smtp; 550 <ada@example.test>\n"


@pytest.mark.parametrize("returned_as", [HEADERS, WHOLE])
@pytest.mark.parametrize(
    ("action", "status", "becomes"),
    [
        ("failed", "5.1.1", about(FAILED, GONE, suppress=True)),
        ("Failed", "5.1.10 (null MX)", about(FAILED, GONE, suppress=True)),
        ("failed", "5.1.2", about(FAILED, GONE, suppress=True)),
        ("failed", "5.1.3", about(FAILED, GONE, suppress=True)),
        ("failed", "5.1.6", about(FAILED, GONE, suppress=True)),
        ("failed", "5.1.8", about(FAILED, "the mail came back")),
        ("failed", "5.2.2", about(FAILED, "the mailbox is full")),
        ("failed", "5.7.1", about(FAILED, "the receiving server's policy forbids it")),
        ("failed", "4.4.7", about(FAILED, UNREACHABLE)),
        ("failed", "550", about(FAILED, "the mail came back")),
        ("delivered", "2.0.0", about(DELIVERED, "the receiving server confirmed it")),
        ("delayed", "4.4.1", None),
        ("relayed", "2.0.0", None),
        ("expanded", "2.0.0", None),
        ("lost", "5.1.1", None),
    ],
)
def test_a_report_of_a_mail_server_says_what_became_of_the_mail(
    action: str, status: str, becomes: Bounce | None, returned_as: str
) -> None:
    raw = report(recipient(action, status), returned_as=returned_as)

    assert read_bounce(MAILS, raw) == becomes


def test_the_body_of_a_report_is_read_with_the_content_type_beside_it() -> None:
    body = report(recipient("failed", "5.1.1")).partition(b"\r\n\r\n")[2]

    found = read_bounce('Multipart/Report; report-type=delivery-status; boundary="=_b"', body)

    assert found == about(FAILED, GONE, suppress=True)


def test_an_address_that_only_forwards_is_not_suppressed_for_the_one_behind_it() -> None:
    behind = report(recipient("failed", "5.1.1", "rfc822; someone@elsewhere.test"))
    itself = report(recipient("failed", "5.1.1", "RFC822;Ada@Example.Test"))

    assert read_bounce(MAILS, behind) == about(FAILED, GONE)
    assert read_bounce(MAILS, itself) == about(FAILED, GONE, suppress=True)


@pytest.mark.parametrize(("feedback", "is_complaint"), [("abuse", True), ("Abuse", True), ("not-spam", False)])
def test_a_complaint_suppresses_the_address_of_a_mail_that_has_arrived(feedback: str, is_complaint: bool) -> None:
    raw = report(f"Feedback-Type: {feedback}\nVersion: 1\n", returned_as=WHOLE, kind="feedback-report")

    complaint = about(DELIVERED, "the person reported it as unwanted", suppress=True)
    assert read_bounce(MAILS, raw) == (complaint if is_complaint else None)


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        ({"type": "bounce", "status": "5.1.1"}, about(FAILED, GONE, suppress=True)),
        (
            {"type": "bounce", "status": "4.2.2", "reason": "ada@example.test is full"},
            about(FAILED, "the mailbox is full"),
        ),
        ({"type": "bounce"}, about(FAILED, "the mail came back")),
        ({"type": "bounce", "status": 5}, about(FAILED, "the mail came back")),
        ({"type": "complaint"}, about(DELIVERED, "the person reported it as unwanted", suppress=True)),
        ({"type": "delivered", "status": "5.1.1"}, about(DELIVERED, "the receiving server confirmed it")),
        ({"type": "opened"}, None),
        ({}, None),
    ],
)
def test_a_relay_says_the_same_in_json(said: dict[str, object], becomes: Bounce | None) -> None:
    document = {"message_id": f"<{NOTIFICATION}.2@example.test>", **said}

    assert read_bounce("application/json; charset=utf-8", json.dumps(document).encode()) == becomes


@pytest.mark.parametrize(
    "message_id",
    [
        "",
        "<20261120.1@mx.test>",
        f"<{NOTIFICATION}@example.test>",
        f"<{NOTIFICATION}.x@example.test>",
        f"<{NOTIFICATION}.{'1' * 10}@example.test>",
        f"<{NOTIFICATION}.2@>",
        f"<{NOTIFICATION}.2@a> <{NOTIFICATION}.3@a>",
        f"<{NOTIFICATION}.2@{'a' * 300}>",
        1,
        None,
    ],
)
def test_a_report_about_a_mail_that_is_not_ours_is_none(message_id: object) -> None:
    assert read_bounce(JSON, json.dumps({"message_id": message_id, "type": "bounce"}).encode()) is None


def test_the_reports_own_message_id_is_not_taken_for_that_of_the_mail() -> None:
    raw = report(recipient("failed", "5.1.1"), returned=b"Subject: Hello\r\n\r\n")

    ours = raw.replace(b"<20261120.1@mx.test>", f"<{NOTIFICATION}.2@example.test>".encode())
    assert read_bounce(MAILS, ours) is None


def test_a_report_that_hangs_on_the_returned_mail_is_not_believed() -> None:
    inner = report(recipient("failed", "5.1.1"))

    assert read_bounce(MAILS, report("Reporting-MTA: dns; mx.test\n", returned=inner, returned_as=WHOLE)) is None


@settings(max_examples=300, deadline=None, database=None)
@given(data=st.data())
def test_no_input_does_more_than_say_nothing(data: st.DataObject) -> None:
    raw = bytearray(report(recipient("failed", "5.1.1"), returned_as=data.draw(st.sampled_from([HEADERS, WHOLE]))))
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(raw)))
        raw[at : at + data.draw(st.integers(0, 60))] = data.draw(st.binary(max_size=20))
    kinds = ["message/rfc822", 'multipart/report; boundary="=_b"', "multipart/report\r\nX: y", JSON, "text/plain", ""]

    found = read_bounce(data.draw(st.sampled_from(kinds) | st.text(max_size=20)), bytes(raw))

    assert found is None or found.receipt in {FAILED, DELIVERED}
    assert found is None or "@" not in found.reason


@pytest.mark.parametrize(
    ("content_type", "raw"),
    [
        ("multipart/report" + ";" * 1_000_000, b""),
        (MAILS, b"Content-Type: multipart/report;" + b";" * 1_000_000),
        (MAILS, b"Content-Type: multipart/report; boundary=b\n\n" + b"--b\n\n" * 100_000),
        (MAILS, b"".join(b"Content-Type: multipart/report; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(20_000))),
        (MAILS, b"Content-Type: message/rfc822\n\n" * 30_000),
        (MAILS, b"a:b\n" * 250_000),
    ],
    ids=["parameters beside it", "parameters", "parts", "parts in parts", "mails in mails", "headers"],
)
def test_what_is_made_to_take_long_takes_no_longer_than_its_size_allows(content_type: str, raw: bytes) -> None:
    began = process_time()

    assert read_bounce(content_type, raw) is None
    assert process_time() - began < 2


def test_a_report_in_more_parts_than_any_has_is_not_read() -> None:
    raw = report(recipient("failed", "5.1.1"))

    assert read_bounce(MAILS, raw + b"--boundary\r\n" * 40) is not None
    assert read_bounce(MAILS, raw + b"--boundary\r\n" * 60) is None


def test_a_report_on_a_large_mail_is_read_by_what_comes_first() -> None:
    large = MAIL.replace(b"Hi Ada.", b"Hi Ada.\r\n" * 30_000)

    assert read_bounce(MAILS, report(recipient("failed", "5.1.1"), returned=large, returned_as=WHOLE)) is not None


def test_what_is_said_behind_the_first_64_kilobytes_is_not_looked_for() -> None:
    raw = report(recipient("failed", "5.1.1"))

    assert read_bounce(MAILS, raw.replace(b"host mx.test said", b"far and wide\r\n" * 5_000)) is None
