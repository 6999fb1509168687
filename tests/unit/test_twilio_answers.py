"""What each of Twilio's codes means, row by row, and how long it asks to wait."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.retry_after import read_retry_after
from shared.statuses import OutcomeKind
from shared.twilio.answers import CODES, STATUSES, Ended, Said, judge, judge_look_up

PERMANENT, TRANSIENT, THROTTLED = OutcomeKind.PERMANENT, OutcomeKind.TRANSIENT, OutcomeKind.THROTTLED
AMBIGUOUS = OutcomeKind.AMBIGUOUS
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)

SUPPRESSED = {21211, 21614, 21635, 21610, 30005, 63003, 63024}
OUR_ACCOUNT = {20003, 20005, 20006, 20404, 30002, 63001}
OUT_OF_ORDER = {63010, 63012}
FOR_NOW = {30003, 30008, 63021}
LATER = {20429, 14107, 21611, 30001, 30022, 30023, 63017, 63018, 63038}


def refused(status: int, code: int | None = None, retry_after: str | None = None) -> Ended:
    said = Said(status=status, code=code, retry_after=retry_after)
    return Ended(said=said)


def test_only_a_number_that_is_dead_and_a_person_who_said_stop_are_suppressed() -> None:
    suppressed = {code for code, verdict in CODES.items() if verdict.suppress}

    assert suppressed == SUPPRESSED
    assert all(CODES[code].kind is PERMANENT for code in suppressed)


def test_trouble_with_our_account_is_no_messages_fault_and_opens_the_breaker() -> None:
    at_fault = {code for code, verdict in CODES.items() if verdict.provider_at_fault}

    assert at_fault == OUR_ACCOUNT | OUT_OF_ORDER
    assert {CODES[code].kind for code in at_fault} == {TRANSIENT}


def test_what_passes_is_tried_again_and_what_is_too_much_waits() -> None:
    by_kind = {kind: {code for code, verdict in CODES.items() if verdict.kind is kind} for kind in OutcomeKind}

    assert by_kind[TRANSIENT] == OUR_ACCOUNT | OUT_OF_ORDER | FOR_NOW
    assert by_kind[THROTTLED] == LATER
    assert not by_kind[AMBIGUOUS]
    assert not by_kind[OutcomeKind.ACCEPTED]


def test_every_reason_is_a_sentence_without_a_number() -> None:
    for verdict in (*CODES.values(), *(verdict for _, verdict in STATUSES)):
        assert verdict.reason
        assert "+" not in verdict.reason
        assert not verdict.reason.endswith(".")


@pytest.mark.parametrize("status", range(300, 600))
def test_every_status_has_a_row_when_the_code_is_unknown(status: int) -> None:
    by_status = judge(refused(status), NOW)
    by_unknown_code = judge(refused(status, 29_999), NOW)

    assert by_status.kind is by_unknown_code.kind
    assert by_status.code == f"twilio http {status}"
    assert not by_status.suppress
    assert by_status.kind is not OutcomeKind.ACCEPTED
    assert by_status.provider_at_fault == (by_status.kind in (TRANSIENT, AMBIGUOUS))


def test_the_code_goes_before_the_status() -> None:
    assert judge(refused(500, 21211), NOW).kind is PERMANENT
    assert judge(refused(400, 20003), NOW).kind is TRANSIENT


def test_only_a_throttle_says_how_long_to_wait() -> None:
    assert judge(refused(429, retry_after="7"), NOW).retry_after_seconds == 7
    assert judge(refused(503, retry_after="7"), NOW).retry_after_seconds is None


def test_a_failed_look_up_never_says_that_the_message_failed() -> None:
    kinds = {judge_look_up(refused(400, code), NOW).kind for code in CODES}

    assert kinds == {TRANSIENT, THROTTLED}
    assert not any(judge_look_up(refused(400, code), NOW).suppress for code in CODES)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("30", 30),
        (" 30 ", 30),
        ("604800", 604_800),
        ("604801", None),
        ("10000000000000", None),
        ("-1", None),
        ("1.5", None),
        ("٣٠", None),
        ("soon", None),
        ("", None),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30),
        ("Sat, 21 Nov 2026 13:00:30 +0100", 30),
        ("Sat, 21 Nov 2026 12:00:30 -0000", 30),
        ("Sat, 21 Nov 2026 11:59:59 GMT", None),
        ("Sat, 28 Nov 2026 12:00:01 GMT", None),
        ("Sat, 99 Nov 2026 12:00:01 GMT", None),
        ("Fri, 31 Dec 99999 12:00:01 GMT", None),
    ],
)
def test_how_long_to_wait_is_read_or_ignored(said: str | None, seconds: float | None) -> None:
    assert read_retry_after(said, NOW) == seconds
