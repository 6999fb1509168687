"""What becomes of a message by what Twilio answers: through the real SDK, over the network."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import pytest

from infrastructure.sandbox.behaviours import Behaviour, number_for
from infrastructure.sandbox.http import Act, Answer, http_date
from infrastructure.sandbox.twilio import refusal
from shared.statuses import Channel, OutcomeKind
from tests.contract.mail_server import until
from tests.contract.twilio_line import (
    ACCEPTED,
    ADA,
    AMBIGUOUS,
    FAULT,
    IMPATIENT_SECONDS,
    NEITHER,
    PATIENT_SECONDS,
    PERMANENT,
    SMS,
    SUPPRESS,
    THROTTLED,
    TRANSIENT,
    WHATSAPP,
    client,
    judged,
    letter,
    sandbox,
)

B = Behaviour
HTML = "<html>Bad gateway</html>"
DAYS_8 = 8 * 86_400


@dataclass(frozen=True)
class Case:
    """What Twilio does, and what that comes to. `kept` counts what Twilio has afterwards."""

    act: Act
    kind: OutcomeKind
    mark: str
    code: str
    pause: float | None = None
    kept: int = 0


def said(status: int, code: int, kind: OutcomeKind, mark: str = NEITHER) -> Case:
    return Case(refusal(status, code), kind, mark, f"twilio {code}")


def bare(status: int, kind: OutcomeKind, mark: str = NEITHER) -> Case:
    return Case(Answer(status=status, body=HTML), kind, mark, f"twilio http {status}")


def pausing(retry_after: str, pause: float | None) -> Case:
    act = refusal(429, 20429, **{"Retry-After": retry_after})
    return Case(act, THROTTLED, NEITHER, "twilio 20429", pause)


def taken(body: object, kind: OutcomeKind = AMBIGUOUS, mark: str = FAULT, code: str = "twilio garbled") -> Case:
    return Case(Answer(status=201, body=body, keeps=True), kind, mark, code, kept=1)


ON_BOTH = [
    Case(B.ACCEPTED, ACCEPTED, NEITHER, "twilio queued", kept=1),
    Case(B.BLOCKED, PERMANENT, SUPPRESS, "twilio 21610"),
    Case(B.THROTTLED, THROTTLED, NEITHER, "twilio 20429", pause=30),
    Case(B.THROTTLED_UNTIL, THROTTLED, NEITHER, "twilio 20429", pause=30),
    Case(B.THROTTLED_BARE, THROTTLED, NEITHER, "twilio 20429"),
    Case(B.TEMPFAIL, TRANSIENT, FAULT, "twilio 20503"),
    Case(B.FAILTWICE, TRANSIENT, FAULT, "twilio 20503"),
    Case(B.CUT, AMBIGUOUS, FAULT, "twilio cut", kept=1),
    Case(B.CUT_ALWAYS, AMBIGUOUS, FAULT, "twilio cut", kept=1),
    Case(B.RESET, AMBIGUOUS, FAULT, "twilio cut"),
    Case(B.GARBAGE, AMBIGUOUS, FAULT, "twilio garbled", kept=1),
    Case(B.SLOW, ACCEPTED, NEITHER, "twilio queued", kept=1),
    Case(B.UNTRUSTED, TRANSIENT, FAULT, "twilio 20003"),
    pausing("120", 120),
    pausing("soon", None),
    pausing("-5", None),
    pausing("1e3", None),
    pausing("1000000000000", None),
    pausing(str(DAYS_8), None),
    pausing(http_date(-60, time.time()), None),
    pausing(http_date(DAYS_8, time.time()), None),
    said(403, 20005, TRANSIENT, FAULT),
    said(404, 20404, TRANSIENT, FAULT),
    said(400, 29999, PERMANENT),
    said(500, 20500, AMBIGUOUS, FAULT),
    bare(302, TRANSIENT, FAULT),
    bare(400, PERMANENT),
    bare(401, TRANSIENT, FAULT),
    bare(403, TRANSIENT, FAULT),
    bare(404, TRANSIENT, FAULT),
    bare(429, THROTTLED),
    bare(500, AMBIGUOUS, FAULT),
    bare(502, AMBIGUOUS, FAULT),
    bare(503, TRANSIENT, FAULT),
    bare(504, AMBIGUOUS, FAULT),
    taken(""),
    taken({}),
    taken([]),
    taken("[" * 50_000),
    taken('"queued"'),
    taken({"sid": None, "status": "queued"}),
    taken({"sid": 17, "status": "queued"}),
    taken({"sid": "SM1", "status": "accepted"}, ACCEPTED, NEITHER, "twilio accepted"),
    taken({"sid": "SM1", "status": "failed", "error_code": 30007}, PERMANENT, NEITHER, "twilio 30007"),
    taken({"sid": "SM1", "status": "failed", "error_code": None}, PERMANENT, NEITHER, "twilio failed"),
    taken({"sid": "SM1", "status": "failed", "error_code": "odd"}, PERMANENT, NEITHER, "twilio failed"),
]
ON_SMS = [
    Case(B.REFUSED, PERMANENT, SUPPRESS, "twilio 21211"),
    Case(B.FULL, THROTTLED, NEITHER, "twilio 21611"),
    said(400, 21614, PERMANENT, SUPPRESS),
    said(400, 21635, PERMANENT, SUPPRESS),
    said(400, 30005, PERMANENT, SUPPRESS),
    said(400, 30006, PERMANENT),
    said(400, 30004, PERMANENT),
    said(400, 30007, PERMANENT),
    said(400, 21408, PERMANENT),
    said(400, 21606, PERMANENT),
    said(400, 21609, PERMANENT),
    said(400, 21617, PERMANENT),
    said(400, 30003, TRANSIENT),
    said(400, 30008, TRANSIENT),
    said(400, 30001, THROTTLED),
    said(429, 14107, THROTTLED),
    said(400, 30023, THROTTLED),
    said(403, 30002, TRANSIENT, FAULT),
]
ON_WHATSAPP = [
    Case(B.REFUSED, PERMANENT, SUPPRESS, "twilio 63003"),
    Case(B.FULL, THROTTLED, NEITHER, "twilio 63018"),
    said(400, 63024, PERMANENT, SUPPRESS),
    said(400, 63016, PERMANENT),
    said(400, 63005, PERMANENT),
    said(400, 63007, PERMANENT),
    said(400, 63013, PERMANENT),
    said(400, 63027, PERMANENT),
    said(400, 63028, PERMANENT),
    said(400, 63032, PERMANENT),
    said(400, 63049, PERMANENT),
    said(400, 21656, PERMANENT),
    said(400, 63012, TRANSIENT, FAULT),
    said(400, 63021, TRANSIENT),
    said(400, 63001, TRANSIENT, FAULT),
    said(429, 63017, THROTTLED),
    said(429, 63018, THROTTLED),
    said(400, 63038, THROTTLED),
]
CASES = [
    *[(SMS, case) for case in (*ON_BOTH, *ON_SMS)],
    *[(WHATSAPP, case) for case in (*ON_BOTH, *ON_WHATSAPP)],
]


@pytest.mark.parametrize(("channel", "case"), CASES, ids=[f"{channel}: {case.code}" for channel, case in CASES])
async def test_an_answer_of_twilio_comes_to_one_outcome_after_one_call(channel: Channel, case: Case) -> None:
    to = number_for(case.act) if isinstance(case.act, Behaviour) else ADA

    async with sandbox() as house, client(house.url, channel) as provider:
        if isinstance(case.act, Answer):
            house.room.will_answer(to, case.act)
        outcome = await provider.send(letter(to, channel))

        assert (*judged(outcome), outcome.code) == (case.kind, case.mark, case.code)
        assert outcome.retry_after_seconds == (pytest.approx(case.pause, abs=2) if case.pause else None)
        assert list(house.room.calls) == [to]
        assert len(house.mailbox) == case.kept
        assert outcome.provider == f"twilio-{channel}"
        assert bool(outcome.provider_message_id) == (case.kind is ACCEPTED)
        assert outcome.reason
        assert to not in outcome.reason


@pytest.mark.parametrize("channel", [SMS, WHATSAPP])
@pytest.mark.parametrize(("behaviour", "kept"), [(B.HANG, 0), (B.SLOW, 1)])
async def test_a_call_without_an_answer_ends_by_its_deadline_and_takes_its_connection_along(
    channel: Channel, behaviour: Behaviour, kept: int
) -> None:
    async with sandbox() as house, client(house.url, channel, deadline_seconds=IMPATIENT_SECONDS) as provider:
        began = time.monotonic()
        async with asyncio.timeout(PATIENT_SECONDS):  # a deadline that is not kept is a failure here, not a hang
            outcome = await provider.send(letter(number_for(behaviour), channel))
        took_seconds = time.monotonic() - began

        assert (*judged(outcome), outcome.code) == (AMBIGUOUS, FAULT, "twilio timeout")
        assert took_seconds >= IMPATIENT_SECONDS
        await until(lambda: house.http.connections == 0)
        assert (list(house.room.calls), len(house.mailbox)) == ([number_for(behaviour)], kept)


@pytest.mark.parametrize("channel", [SMS, WHATSAPP])
async def test_what_fails_twice_is_taken_the_third_time(channel: Channel) -> None:
    message = letter(number_for(B.FAILTWICE), channel)

    async with sandbox() as house, client(house.url, channel) as provider:
        outcomes = [await provider.send(message) for _ in range(3)]

        assert [outcome.kind for outcome in outcomes] == [TRANSIENT, TRANSIENT, ACCEPTED]
        assert len(house.mailbox) == 1
