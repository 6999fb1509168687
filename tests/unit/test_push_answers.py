"""What the answers of FCM and OneSignal mean, row by row; and the one outcome out of those of several devices."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from functions.deliver_push import fcm_answers, onesignal_answers
from functions.deliver_push.answers import NO_WORD, Table, judge_silence
from functions.deliver_push.fcm_answers import judge_fcm
from functions.deliver_push.onesignal import idempotency_key
from functions.deliver_push.onesignal_answers import judge_onesignal
from functions.deliver_push.several_devices import combine
from infrastructure.sandbox import fcm
from shared.http_call import Phase, Reply, Silence
from shared.outcomes import Device, Outcome
from shared.statuses import OutcomeKind, PushService
from tests.contract.push_server import letter

ACCEPTED, PERMANENT, TRANSIENT = OutcomeKind.ACCEPTED, OutcomeKind.PERMANENT, OutcomeKind.TRANSIENT
THROTTLED, AMBIGUOUS = OutcomeKind.THROTTLED, OutcomeKind.AMBIGUOUS
FAULT, DEAD, NEITHER = "provider_at_fault", "dead", ""

TOKEN = "token-that-nobody-repeats"
DEVICE = Device(provider="fcm", token=TOKEN, registered_at=datetime(2026, 11, 20, tzinfo=UTC))


def google(status: int, canonical: str, code: str | None = None) -> Reply:
    body = fcm.error(status, canonical, code).body
    return Reply(status, {}, json.loads(json.dumps(body)))


FCM: list[tuple[Reply, OutcomeKind, str, str]] = [
    (Reply(200, {}, {"name": "projects/p/messages/1"}), ACCEPTED, NEITHER, "fcm 200"),
    (Reply(200, {}, {"name": 1}), AMBIGUOUS, FAULT, "fcm 200 garbled"),
    (Reply(200, {}, None), AMBIGUOUS, FAULT, "fcm 200 garbled"),
    (google(404, "NOT_FOUND", "UNREGISTERED"), PERMANENT, DEAD, "fcm 404 UNREGISTERED"),
    (google(400, "NOT_FOUND", "UNREGISTERED"), PERMANENT, DEAD, "fcm 400 UNREGISTERED"),
    (google(404, "NOT_FOUND"), TRANSIENT, FAULT, "fcm 404 NOT_FOUND"),
    (google(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"), PERMANENT, DEAD, "fcm 403 SENDER_ID_MISMATCH"),
    (google(403, "PERMISSION_DENIED"), TRANSIENT, FAULT, "fcm 403 PERMISSION_DENIED"),
    (google(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"), PERMANENT, NEITHER, "fcm 400 INVALID_ARGUMENT"),
    (google(400, "INVALID_ARGUMENT"), PERMANENT, NEITHER, "fcm 400 INVALID_ARGUMENT"),
    (google(401, "UNAUTHENTICATED"), TRANSIENT, FAULT, "fcm 401 UNAUTHENTICATED"),
    (google(401, "UNAUTHENTICATED", fcm_answers.THIRD_PARTY), TRANSIENT, FAULT, "fcm 401 THIRD_PARTY_AUTH_ERROR"),
    (google(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), THROTTLED, NEITHER, "fcm 429 QUOTA_EXCEEDED"),
    (Reply(429, {}, None), THROTTLED, NEITHER, "fcm 429 garbled"),
    (google(500, "INTERNAL", "INTERNAL"), TRANSIENT, FAULT, "fcm 500 INTERNAL"),
    (google(503, "UNAVAILABLE", "UNAVAILABLE"), TRANSIENT, FAULT, "fcm 503 UNAVAILABLE"),
    (Reply(504, {}, None), AMBIGUOUS, FAULT, "fcm 504 garbled"),
    (Reply(408, {}, None), TRANSIENT, FAULT, "fcm 408 garbled"),
    (Reply(302, {}, None), TRANSIENT, FAULT, "fcm 302 garbled"),
    (Reply(400, {}, {"error": "a word"}), PERMANENT, NEITHER, "fcm 400"),
    (Reply(400, {}, {"error": {"details": 7, "status": f"no {TOKEN}"}}), PERMANENT, NEITHER, "fcm 400"),
    (Reply(400, {}, {"error": {"details": [7, {"errorCode": 7}]}}), PERMANENT, NEITHER, "fcm 400"),
]

ONESIGNAL: list[tuple[int, Any, OutcomeKind, str, str]] = [
    (200, {"id": "1"}, ACCEPTED, NEITHER, "onesignal 200"),
    (200, {"id": "1", "errors": {"invalid_aliases": {}}}, ACCEPTED, NEITHER, "onesignal 200"),
    (200, {"id": "1", "warnings": ["a word"]}, ACCEPTED, NEITHER, "onesignal 200"),
    (
        200,
        {"id": "1", "errors": {"invalid_player_ids": [TOKEN]}},
        PERMANENT,
        DEAD,
        "onesignal 200 unknown subscription",
    ),
    (200, {"errors": {"invalid_player_ids": [TOKEN]}}, PERMANENT, DEAD, "onesignal 200 unknown subscription"),
    (200, {"errors": {"invalid_subscription_ids": [TOKEN]}}, PERMANENT, DEAD, "onesignal 200 unknown subscription"),
    (
        200,
        {"id": "", "errors": ["All included players are not subscribed"]},
        PERMANENT,
        DEAD,
        "onesignal 200 not subscribed",
    ),
    (200, {"id": ""}, PERMANENT, NEITHER, "onesignal 200 nobody"),
    (200, {"errors": [f"something about {TOKEN}"]}, PERMANENT, NEITHER, "onesignal 200 nobody"),
    (200, {}, AMBIGUOUS, FAULT, "onesignal 200 garbled"),
    (200, None, AMBIGUOUS, FAULT, "onesignal 200 garbled"),
    (400, {"errors": ["contents must not be null"]}, PERMANENT, NEITHER, "onesignal 400"),
    (400, {"errors": ["app_id not found"]}, TRANSIENT, FAULT, "onesignal 400 app"),
    (400, {"errors": [{}]}, PERMANENT, NEITHER, "onesignal 400"),
    (401, {"errors": ["who are you"]}, TRANSIENT, FAULT, "onesignal 401"),
    (403, {"errors": ["Access denied"]}, TRANSIENT, FAULT, "onesignal 403"),
    (404, None, TRANSIENT, FAULT, "onesignal 404 garbled"),
    (408, None, TRANSIENT, FAULT, "onesignal 408 garbled"),
    (409, {"errors": ["conflict"]}, PERMANENT, NEITHER, "onesignal 409"),
    (429, {"errors": ["API rate limit exceeded"]}, THROTTLED, NEITHER, "onesignal 429"),
    (500, {"errors": ["oops"]}, TRANSIENT, FAULT, "onesignal 500"),
    (503, None, TRANSIENT, FAULT, "onesignal 503 garbled"),
    (504, None, AMBIGUOUS, FAULT, "onesignal 504 garbled"),
]


def mark(outcome: Outcome) -> str:
    return FAULT if outcome.provider_at_fault else DEAD if outcome.dead_devices else NEITHER


@pytest.mark.parametrize(("reply", "kind", "expected", "code"), FCM)
def test_an_answer_of_fcm_means_what_the_table_says(reply: Reply, kind: OutcomeKind, expected: str, code: str) -> None:
    outcome = judge_fcm(reply, DEVICE)

    assert (outcome.kind, mark(outcome), outcome.code) == (kind, expected, code)
    assert TOKEN not in repr(outcome)


def test_whose_credentials_are_not_accepted_can_be_read() -> None:
    ours, theirs = [judge_fcm(google(401, "UNAUTHENTICATED", code), DEVICE) for code in (None, fcm_answers.THIRD_PARTY)]

    assert ours.reason == "the provider does not accept our credentials"
    assert theirs.reason == "Apple or a browser does not accept FCM's credentials"


@pytest.mark.parametrize(("status", "document", "kind", "expected", "code"), ONESIGNAL)
def test_an_answer_of_onesignal_means_what_the_table_says(
    status: int, document: Any, kind: OutcomeKind, expected: str, code: str
) -> None:
    outcome = judge_onesignal(Reply(status, {}, document), DEVICE)

    assert (outcome.kind, mark(outcome), outcome.code) == (kind, expected, code)
    assert TOKEN not in repr(outcome)


@pytest.mark.parametrize("table", [fcm_answers.TABLE, onesignal_answers.TABLE])
def test_every_status_has_a_row_and_only_success_is_accepted(table: Table) -> None:
    verdicts = [
        next(verdict for pattern, verdict in table if pattern.fullmatch(f"{status} {NO_WORD}"))
        for status in range(100, 600)
    ]

    assert ACCEPTED not in {verdict.kind for verdict in verdicts}
    assert not any(verdict.is_dead for verdict in verdicts)


@pytest.mark.parametrize(
    ("phase", "kind", "is_at_fault"),
    [
        (Phase.WAITING, THROTTLED, False),
        (Phase.LOGIN, TRANSIENT, True),
        (Phase.CONNECT, TRANSIENT, True),
        (Phase.SENT, AMBIGUOUS, True),
    ],
)
def test_silence_means_what_had_left(phase: Phase, kind: OutcomeKind, is_at_fault: bool) -> None:
    outcome = judge_silence(PushService.FCM, Silence(phase, "timeout"))

    assert (outcome.kind, outcome.provider_at_fault, outcome.code) == (kind, is_at_fault, f"fcm timeout at {phase}")


def test_every_phase_of_silence_has_a_row() -> None:
    assert {judge_silence(PushService.FCM, Silence(phase, "lost")).provider for phase in Phase} == {"fcm"}


def outcome(kind: OutcomeKind, wait: float | None = None, dead: str = "") -> Outcome:
    gone = (Device(provider="fcm", token=dead, registered_at=DEVICE.registered_at),) if dead else ()
    return Outcome(kind=kind, code=f"{kind} {wait}", reason="so it is", retry_after_seconds=wait, dead_devices=gone)


@pytest.mark.parametrize(
    ("several", "code"),
    [
        ([outcome(PERMANENT), outcome(TRANSIENT)], "transient None"),
        ([outcome(TRANSIENT), outcome(THROTTLED, 5)], "throttled 5"),
        ([outcome(THROTTLED), outcome(THROTTLED, 5), outcome(THROTTLED, 60)], "throttled 60"),
        ([outcome(THROTTLED, 5), outcome(AMBIGUOUS)], "ambiguous None"),
        ([outcome(AMBIGUOUS), outcome(ACCEPTED)], "accepted None"),
    ],
)
def test_of_several_outcomes_the_one_with_most_hope_stands_for_all(several: list[Outcome], code: str) -> None:
    assert combine(several).code == code
    assert combine(several[::-1]).code == code


def test_every_dead_device_is_told_whatever_became_of_the_others() -> None:
    combined = combine([outcome(PERMANENT, dead="a"), outcome(ACCEPTED), outcome(PERMANENT, dead="b")])

    assert [device.token for device in combined.dead_devices] == ["a", "b"]
    assert combined.reason == "1 of 3 devices took it"


def test_the_outcome_of_one_device_stands_for_itself() -> None:
    alone = outcome(TRANSIENT)

    assert combine([alone]) is alone


def test_a_key_for_onesignal_is_one_that_it_takes_and_the_same_for_every_attempt() -> None:
    key = UUID("0b5a3c1e-6a4f-5c0e-9b51-1f4f0a6d2c11")
    first, again, other = [idempotency_key(letter(key=key), token) for token in ("a", "a", "b")]

    assert first == again != other
    assert first.version == 4
