"""What a mail server's answer means, row by row."""

from __future__ import annotations

import socket
import ssl
from dataclasses import replace

import pytest

from functions.deliver_email.answers import AnswerGarbled, Phase, accept, judge, judge_silence
from functions.deliver_email.relay import Encryption, Relay
from shared.errors import SettingMissing
from shared.statuses import OutcomeKind

ACCEPTED, PERMANENT, TRANSIENT = OutcomeKind.ACCEPTED, OutcomeKind.PERMANENT, OutcomeKind.TRANSIENT
THROTTLED, AMBIGUOUS = OutcomeKind.THROTTLED, OutcomeKind.AMBIGUOUS

FAULT, SUPPRESS, NEITHER = "provider_at_fault", "suppress", ""
BEFORE_THE_DOT = [Phase.LOGIN, Phase.SENDER, Phase.RECIPIENT, Phase.DATA]

ANSWERS = [
    # the final dot
    (Phase.FINAL_DOT, 250, "2.0.0 Ok: queued", ACCEPTED, NEITHER),
    (Phase.FINAL_DOT, 250, "thanks", ACCEPTED, NEITHER),
    (Phase.FINAL_DOT, 451, "4.3.0 try again", TRANSIENT, NEITHER),
    (Phase.FINAL_DOT, 554, "5.7.1 looks like spam", PERMANENT, NEITHER),
    (Phase.FINAL_DOT, 550, "5.1.1 no such user", PERMANENT, SUPPRESS),
    (Phase.FINAL_DOT, 421, "4.3.2 shutting down", THROTTLED, NEITHER),
    (Phase.FINAL_DOT, -1, "?!#", AMBIGUOUS, FAULT),
    (Phase.FINAL_DOT, 354, "go on", AMBIGUOUS, FAULT),
    # the address is dead, and only these codes say so
    (Phase.RECIPIENT, 550, "5.1.1 no such user", PERMANENT, SUPPRESS),
    (Phase.RECIPIENT, 550, "5.1.2 no such domain", PERMANENT, SUPPRESS),
    (Phase.RECIPIENT, 553, "5.1.3 bad syntax", PERMANENT, SUPPRESS),
    (Phase.RECIPIENT, 551, "5.1.6 has moved", PERMANENT, SUPPRESS),
    (Phase.RECIPIENT, 556, "5.1.10 null MX", PERMANENT, SUPPRESS),
    (Phase.RECIPIENT, 550, "5.1.100 something else", PERMANENT, NEITHER),
    (Phase.RECIPIENT, 550, "no such user", PERMANENT, NEITHER),
    (Phase.RECIPIENT, 550, "5.2.1 disabled", PERMANENT, NEITHER),
    (Phase.RECIPIENT, 552, "5.2.2 mailbox full", PERMANENT, NEITHER),
    (Phase.RECIPIENT, 550, "5.7.1 policy", PERMANENT, NEITHER),
    (Phase.SENDER, 550, "5.1.1 we do not know the sender", PERMANENT, NEITHER),
    # the code wins over an enhanced code of another class
    (Phase.RECIPIENT, 451, "5.1.1 no such user", TRANSIENT, NEITHER),
    (Phase.RECIPIENT, 550, "4.7.1 greylisted", PERMANENT, NEITHER),
    # for now
    (Phase.RECIPIENT, 450, "4.2.0 busy", TRANSIENT, NEITHER),
    (Phase.RECIPIENT, 452, "4.2.2 full", TRANSIENT, NEITHER),
    (Phase.RECIPIENT, 451, "4.3.0 local error", TRANSIENT, NEITHER),
    (Phase.SENDER, 452, "4.3.1 disk full", TRANSIENT, FAULT),
    # later, and nobody's failure
    (Phase.RECIPIENT, 451, "4.7.1 greylisted", THROTTLED, NEITHER),
    (Phase.RECIPIENT, 450, "4.7.0 slow down", THROTTLED, NEITHER),
    (Phase.RECIPIENT, 450, "4.2.0 Recipient address rejected: Greylisted", THROTTLED, NEITHER),
    (Phase.RECIPIENT, 451, "too many messages, slow down", THROTTLED, NEITHER),
    (Phase.SENDER, 421, "4.7.0 too busy", THROTTLED, NEITHER),
    (Phase.CONNECT, 421, "4.3.2 out of order", THROTTLED, NEITHER),
    (Phase.LOGIN, 421, "4.7.0 too many logins", THROTTLED, NEITHER),
    # our settings, or the server as a whole
    (Phase.LOGIN, 535, "5.7.8 wrong password", TRANSIENT, FAULT),
    (Phase.LOGIN, 454, "4.7.0 temporary failure", TRANSIENT, FAULT),
    (Phase.SENDER, 530, "5.7.0 authentication required", TRANSIENT, FAULT),
    (Phase.CONNECT, 554, "5.7.1 your address is blocked", TRANSIENT, FAULT),
    (Phase.CONNECT, 454, "4.7.0 TLS not available", TRANSIENT, FAULT),
    (Phase.RECIPIENT, 503, "5.5.1 MAIL first", TRANSIENT, FAULT),
    (Phase.DATA, 250, "what", TRANSIENT, FAULT),
    (Phase.RECIPIENT, -1, "?!#", TRANSIENT, FAULT),
    (Phase.RECIPIENT, 999, "what", TRANSIENT, FAULT),
]


@pytest.mark.parametrize(("phase", "code", "text", "kind", "mark"), ANSWERS)
def test_an_answer_means_what_the_table_says(phase: Phase, code: int, text: str, kind: OutcomeKind, mark: str) -> None:
    outcome = judge(phase, code, text)

    assert outcome.kind is kind
    assert outcome.provider_at_fault is (mark == FAULT)
    assert outcome.suppress is (mark == SUPPRESS)
    assert outcome.provider == "smtp"


@pytest.mark.parametrize("said", ["250 2.0.0 Ok: queued as 4F2", "250 thanks", "252 2.5.0 will try", "250", "250 é"])
def test_an_accepted_mail_is_told_in_the_same_words_by_the_short_way(said: str) -> None:
    by_the_table = judge(Phase.FINAL_DOT, int(said[:3]), said[4:])

    assert accept(said.encode() + b"\r", "<1@example.test>") == replace(
        by_the_table, provider_message_id="<1@example.test>"
    )


def test_an_outcome_names_the_codes_but_never_the_servers_words() -> None:
    outcome = judge(Phase.RECIPIENT, 550, "5.1.1 <ada@example.test>: no such user")

    assert outcome.code == "smtp 550 5.1.1"
    assert "ada" not in repr(outcome)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4.7.1 Greylisted for 300 seconds", 300),
        ("4.7.1 Greylisted, try again in 5 minutes", 300),
        ("4.7.1 wait 30s", 30),
        ("4.7.1 come back in 0 seconds", 1),
        ("4.7.1 come back in 999999 minutes", 3600),
        ("4.7.1 come back later", None),
        ("4.7.1 you sent 5000 mails", None),
    ],
)
def test_a_pause_that_the_server_asks_for_is_kept_within_bounds(text: str, seconds: float | None) -> None:
    assert judge(Phase.RECIPIENT, 451, text).retry_after_seconds == seconds


def test_only_a_throttle_carries_a_pause() -> None:
    assert judge(Phase.RECIPIENT, 450, "4.2.0 busy, try in 30 seconds").retry_after_seconds is None


@pytest.mark.parametrize("phase", [Phase.CONNECT, *BEFORE_THE_DOT])
def test_silence_before_the_mail_has_left_is_safe_to_try_again(phase: Phase) -> None:
    outcome = judge_silence(phase, TimeoutError())

    assert outcome.kind is TRANSIENT
    assert outcome.provider_at_fault
    assert outcome.code == f"smtp timeout at {phase}"


def test_silence_after_the_mail_has_left_is_ambiguous() -> None:
    outcome = judge_silence(Phase.FINAL_DOT, ConnectionResetError())

    assert outcome.kind is AMBIGUOUS
    assert outcome.provider_at_fault
    assert outcome.code == "smtp lost at final dot"


def test_a_mail_that_found_no_free_connection_uses_up_no_try_and_blames_nobody() -> None:
    outcome = judge_silence(Phase.WAITING, TimeoutError())

    assert outcome.kind is THROTTLED
    assert not outcome.provider_at_fault


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (ssl.SSLCertVerificationError("untrusted"), "smtp tls at connect"),
        (socket.gaierror("unknown"), "smtp unknown host at connect"),
        (ConnectionRefusedError(), "smtp refused at connect"),
        (OSError("no route"), "smtp unreachable at connect"),
        (AnswerGarbled(), "smtp garbled at connect"),
        (Exception("no STARTTLS"), "smtp not offered at connect"),
    ],
)
def test_a_server_that_is_not_reached_is_named_for_why(failure: Exception, code: str) -> None:
    assert judge_silence(Phase.CONNECT, failure).code == code


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.test", Relay(host="mail.example.test", port=587)),
        ("smtp://mail.example.test:2525", Relay(host="mail.example.test", port=2525)),
        ("smtp://[::1]:25", Relay(host="::1", port=25)),
        (
            "smtps://mail.example.test",
            Relay(host="mail.example.test", port=465, encryption=Encryption.FROM_THE_START),
        ),
        (
            "smtp://us%40er:p%3A%2F%40ss@mail.example.test",
            Relay(host="mail.example.test", port=587, user="us@er", password="p:/@ss", encryption=Encryption.REQUIRED),
        ),
        (
            "smtp://user:secret@localhost:1025",
            Relay(host="localhost", port=1025, user="user", password="secret", encryption=Encryption.WHEN_OFFERED),
        ),
    ],
)
def test_an_smtp_url_says_where_and_how(url: str, expected: Relay) -> None:
    assert Relay.parse(url) == expected


@pytest.mark.parametrize(
    "url", ["", "mail.example.test", "http://mail.example.test", "smtp://", "smtp://u:pw@host:port"]
)
def test_a_malformed_smtp_url_is_named_without_its_password(url: str) -> None:
    with pytest.raises(SettingMissing, match="SMTP_URL") as missing:
        Relay.parse(url)

    assert "pw" not in str(missing.value)


def test_a_mail_server_is_shown_without_its_password() -> None:
    relay = Relay.parse("smtp://user:open-sesame@mail.example.test")

    assert "mail.example.test" in repr(relay)
    assert "open-sesame" not in repr(relay)


def test_a_certificate_is_checked_everywhere_but_on_loopback() -> None:
    away = Relay.parse("smtp://mail.example.test").tls_context()
    always = Relay.parse("smtps://127.0.0.1").tls_context()
    here = Relay.parse("smtp://127.0.0.1").tls_context()

    assert away.verify_mode is ssl.CERT_REQUIRED
    assert away.check_hostname
    assert always.verify_mode is ssl.CERT_REQUIRED
    assert here.verify_mode is ssl.CERT_NONE
