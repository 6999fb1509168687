"""What comes of a push message, by what the provider answers: through HTTP, against the stand-ins."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from infrastructure.sandbox import fcm, onesignal
from infrastructure.sandbox.behaviours import Behaviour
from infrastructure.sandbox.http import Answer
from shared.statuses import OutcomeKind
from tests.contract.push_server import (
    ACCEPTED,
    AMBIGUOUS,
    DEAD,
    FAULT,
    IMPATIENT_SECONDS,
    NEITHER,
    PERMANENT,
    SERVICES,
    THROTTLED,
    TRANSIENT,
    client,
    device,
    judged,
    letter,
    phones,
    send,
)

B = Behaviour
Case = tuple[OutcomeKind, str, int]
"""The outcome, its mark, and how many messages the provider has kept."""

BEHAVIOURS: dict[Behaviour, Case] = {
    B.ACCEPTED: (ACCEPTED, NEITHER, 1),
    B.SLOW: (ACCEPTED, NEITHER, 1),
    B.REFUSED: (PERMANENT, DEAD, 0),
    B.BLOCKED: (PERMANENT, DEAD, 0),
    B.FULL: (THROTTLED, NEITHER, 0),
    B.THROTTLED: (THROTTLED, NEITHER, 0),
    B.THROTTLED_UNTIL: (THROTTLED, NEITHER, 0),
    B.THROTTLED_BARE: (THROTTLED, NEITHER, 0),
    B.TEMPFAIL: (TRANSIENT, FAULT, 0),
    B.FAILTWICE: (TRANSIENT, FAULT, 0),
    B.UNTRUSTED: (TRANSIENT, FAULT, 0),
    B.CUT: (AMBIGUOUS, FAULT, 1),
    B.CUT_ALWAYS: (AMBIGUOUS, FAULT, 1),
    B.RESET: (AMBIGUOUS, FAULT, 0),
    B.GARBAGE: (AMBIGUOUS, FAULT, 1),
}

ANSWERS: list[tuple[str, Answer, OutcomeKind, str]] = [
    ("fcm", fcm.INVALID, PERMANENT, NEITHER),
    ("fcm", fcm.error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), TRANSIENT, FAULT),
    ("fcm", fcm.error(403, "PERMISSION_DENIED"), TRANSIENT, FAULT),
    ("fcm", fcm.error(404, "NOT_FOUND"), TRANSIENT, FAULT),
    ("fcm", Answer(status=404, body="<html>no such page"), TRANSIENT, FAULT),
    ("fcm", Answer(status=413, body="too large"), PERMANENT, NEITHER),
    ("fcm", fcm.error(500, "INTERNAL", "INTERNAL"), TRANSIENT, FAULT),
    ("fcm", Answer(status=502, body="bad gateway"), TRANSIENT, FAULT),
    ("fcm", Answer(status=504, body="gateway timeout"), AMBIGUOUS, FAULT),
    ("fcm", Answer(status=302, headers={"Location": "/fcm/token"}), TRANSIENT, FAULT),
    ("fcm", Answer(body={"nothing": "of use"}), AMBIGUOUS, FAULT),
    ("fcm", Answer(body=[]), AMBIGUOUS, FAULT),
    ("onesignal", onesignal.NO_WORDS, PERMANENT, NEITHER),
    ("onesignal", onesignal.UNKNOWN_APP, TRANSIENT, FAULT),
    ("onesignal", onesignal.error(401, ["Unauthorized"]), TRANSIENT, FAULT),
    ("onesignal", onesignal.error(404, ["no such app"]), TRANSIENT, FAULT),
    ("onesignal", Answer(body={"id": "", "recipients": 0}), PERMANENT, NEITHER),
    ("onesignal", Answer(body={"id": "1", "errors": {"invalid_player_ids": ["x"]}}), PERMANENT, DEAD),
    ("onesignal", Answer(status=502, body="bad gateway"), TRANSIENT, FAULT),
    ("onesignal", Answer(status=504, body="gateway timeout"), AMBIGUOUS, FAULT),
    ("onesignal", Answer(status=302, headers={"Location": "/fcm/token"}), TRANSIENT, FAULT),
    ("onesignal", Answer(body={}), AMBIGUOUS, FAULT),
]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
async def test_a_device_gets_what_its_provider_says_and_one_call(service: str, behaviour: Behaviour) -> None:
    kind, mark, kept = BEHAVIOURS[behaviour]
    phone = device(service, behaviour)
    async with phones() as standing, client(**standing.settings(service)) as provider:
        outcome = await send(provider, letter(phone))

        assert judged(outcome) == (kind, mark)
        assert (standing.calls(service, phone.token), len(standing.mailbox)) == (1, kept)
        assert outcome.dead_devices == ((phone,) if mark == DEAD else ())
        assert (provider.name, outcome.provider) == (service, service)
        assert phone.token not in repr(outcome)


@pytest.mark.parametrize(("service", "answer", "kind", "mark"), ANSWERS)
async def test_an_answer_out_of_the_ordinary_is_judged_too(
    service: str, answer: Answer, kind: OutcomeKind, mark: str
) -> None:
    phone = device(service)
    async with phones() as standing, client(**standing.settings(service)) as provider:
        standing.http.rooms[service].will_answer(phone.token, answer)
        outcome = await send(provider, letter(phone))

        assert judged(outcome) == (kind, mark)
        assert standing.calls(service, phone.token) == 1


@pytest.mark.parametrize(
    ("service", "said", "seconds"),
    [
        ("fcm", "17", 17),
        ("fcm", None, 60),
        ("fcm", "-5", 60),
        ("fcm", "soon", 60),
        ("fcm", str(8 * 86_400), 60),
        ("onesignal", "17", 17),
        ("onesignal", None, None),
        ("onesignal", "1000000000000", None),
    ],
)
async def test_a_throttle_waits_as_long_as_the_provider_says_within_reason(
    service: str, said: str | None, seconds: float | None
) -> None:
    phone = device(service)
    errors = {"fcm": fcm.error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), "onesignal": onesignal.error(429, [])}
    headers = {"Retry-After": said} if said else {}
    async with phones() as standing, client(**standing.settings(service)) as provider:
        answer = Answer(status=429, body=errors[service].body, headers=headers)
        standing.http.rooms[service].will_answer(phone.token, answer)
        outcome = await send(provider, letter(phone))

    assert (outcome.kind, outcome.retry_after_seconds) == (THROTTLED, seconds)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_throttle_until_a_date_waits_until_then(service: str) -> None:
    async with phones() as standing, client(**standing.settings(service)) as provider:
        outcome = await send(provider, letter(device(service, B.THROTTLED_UNTIL)))

    assert outcome.retry_after_seconds is not None
    assert 25 < outcome.retry_after_seconds <= 30


async def test_a_provider_that_is_out_of_order_says_when_to_come_back() -> None:
    phone = device("fcm")
    async with phones() as standing, client(**standing.settings("fcm")) as provider:
        standing.http.rooms["fcm"].will_answer(phone.token, fcm.error(503, "UNAVAILABLE", Retry_After="20"))
        outcome = await send(provider, letter(phone))

    assert (judged(outcome), outcome.retry_after_seconds) == ((TRANSIENT, FAULT), 20)


@pytest.mark.parametrize("service", SERVICES)
async def test_silence_ends_with_the_deadline_and_nobody_knows_what_became_of_the_message(service: str) -> None:
    async with phones() as standing, client(**standing.settings(service)) as provider:
        await send(provider, letter(device(service)))
        provider.deadline_seconds = IMPATIENT_SECONDS
        began = asyncio.get_running_loop().time()
        outcome = await send(provider, letter(device(service, B.HANG)))

    assert asyncio.get_running_loop().time() - began < IMPATIENT_SECONDS + 1
    assert (judged(outcome), outcome.code) == ((AMBIGUOUS, FAULT), f"{service} timeout at sent")


async def test_a_repetition_after_a_cut_is_one_notification_at_onesignal() -> None:
    phone, key = device("onesignal", B.CUT), uuid4()
    async with phones() as standing, client(**standing.settings("onesignal")) as provider:
        first, second = [await send(provider, letter(phone, key=key)) for _ in range(2)]

        assert (first.kind, second.kind) == (AMBIGUOUS, ACCEPTED)
        assert standing.calls("onesignal", phone.token) == 2
        assert len(standing.mailbox) == 1
        assert second.provider_message_id == standing.mailbox.newest()[0].content.message_id


async def test_a_repetition_after_a_cut_takes_the_place_of_the_first_on_the_device() -> None:
    phone, key = device("fcm", B.CUT), uuid4()
    async with phones() as standing, client(**standing.settings("fcm")) as provider:
        await send(provider, letter(phone, key=key))
        second = await send(provider, letter(phone, key=key))

        tags = [message.content.headers["tag"] for message in standing.mailbox.newest()]
        assert second.kind is ACCEPTED
        assert tags == [str(key)] * 2


async def test_a_message_too_large_for_fcm_is_refused_before_it_is_sent() -> None:
    phone = device("fcm")
    async with phones() as standing, client(**standing.settings("fcm")) as provider:
        fits = await send(provider, letter(phone, text="x" * 3900))
        outcome = await send(provider, letter(phone, text="ü" * 2048))

        assert fits.kind is ACCEPTED
        assert (judged(outcome), outcome.code) == ((PERMANENT, NEITHER), "fcm too large")
        assert "4096 bytes" in outcome.reason
        assert standing.calls("fcm", phone.token) == 1


SEVERAL: list[tuple[list[Behaviour], OutcomeKind, str]] = [
    ([B.ACCEPTED, B.REFUSED, B.TEMPFAIL], ACCEPTED, "1 of 3 devices took it"),
    ([B.ACCEPTED, B.ACCEPTED], ACCEPTED, "2 of 2 devices took it"),
    ([B.ACCEPTED, B.CUT], ACCEPTED, "1 of 2 devices took it"),
    ([B.THROTTLED, B.CUT, B.TEMPFAIL], AMBIGUOUS, "0 of 3 devices took it"),
    ([B.REFUSED, B.TEMPFAIL, B.THROTTLED], THROTTLED, "0 of 3 devices took it"),
    ([B.REFUSED, B.TEMPFAIL], TRANSIENT, "0 of 2 devices took it"),
    ([B.REFUSED, B.BLOCKED], PERMANENT, "0 of 2 devices took it"),
]


@pytest.mark.parametrize(("behaviours", "kind", "told"), SEVERAL)
async def test_of_several_devices_the_one_with_most_hope_decides(
    behaviours: list[Behaviour], kind: OutcomeKind, told: str
) -> None:
    devices = [device(SERVICES[number % 2], behaviour, number) for number, behaviour in enumerate(behaviours)]
    async with phones() as standing, client(**standing.settings()) as provider:
        outcome = await send(provider, letter(*devices))

        dead = [one for one, behaviour in zip(devices, behaviours, strict=True) if behaviour in {B.REFUSED, B.BLOCKED}]
        assert outcome.kind is kind
        assert outcome.reason.startswith(told)
        assert list(outcome.dead_devices) == dead
        assert [standing.calls(one.provider, one.token) for one in devices] == [1] * len(devices)
        assert provider.name == "push"


async def test_several_devices_are_called_at_the_same_time() -> None:
    devices = [device("fcm", B.SLOW, number) for number in range(10)]
    async with phones() as standing, client(**standing.settings("fcm")) as provider:
        began = asyncio.get_running_loop().time()
        outcome = await send(provider, letter(*devices))

        assert outcome.reason == "10 of 10 devices took it"
        assert asyncio.get_running_loop().time() - began < 5


async def test_one_hanging_device_does_not_take_the_deadline_from_the_others() -> None:
    devices = [device("fcm", B.HANG), device("fcm")]
    async with phones() as standing, client(**standing.settings("fcm")) as provider:
        await send(provider, letter(device("fcm")))
        provider.deadline_seconds = IMPATIENT_SECONDS
        outcome = await send(provider, letter(*devices))

    assert (outcome.kind, outcome.reason) == (ACCEPTED, "1 of 2 devices took it")


async def test_a_person_without_a_device_is_told_so() -> None:
    async with phones() as standing, client(**standing.settings()) as provider:
        outcome = await send(provider, letter())

    assert (judged(outcome), outcome.code, outcome.provider) == ((PERMANENT, NEITHER), "no device", "push")


@pytest.mark.parametrize(
    ("tenant", "reached"),
    [("acme", {"fcm"}), ("globex", {"onesignal"}), ("initech", {"fcm", "onesignal"})],
)
async def test_a_tenant_reaches_the_devices_of_its_own_provider_alone(tenant: str, reached: set[str]) -> None:
    who = "acme:fcm, globex:onesignal, *:fcm+onesignal"
    async with phones() as standing, client(push_providers=who, **standing.settings()) as provider:
        outcome = await send(provider, letter(*map(device, SERVICES), tenant=tenant))

        assert outcome.kind is ACCEPTED
        assert {message.sender for message in standing.mailbox.newest()} == reached


async def test_a_device_of_a_provider_that_is_not_used_counts_as_none() -> None:
    async with phones() as standing, client(push_providers="acme:fcm", **standing.settings()) as provider:
        passed_over = await send(provider, letter(device("onesignal"), tenant="acme"))
        unknown = await send(provider, letter(device("fcm"), tenant="globex"))

        assert (passed_over.code, unknown.code, provider.name) == ("no device", "no device", "fcm")
        assert len(standing.mailbox) == 0


async def test_the_device_shows_what_the_event_said() -> None:
    options = {"image_url": "https://example.test/a.png", "link": "https://example.test/o/1", "data": {"order": "1"}}
    async with phones() as standing, client(**standing.settings()) as provider:
        message = letter(*map(device, SERVICES), options=options, expires_in_seconds=600, collapse_key="order-1")
        await send(provider, message)

        seen = {received.sender: received for received in standing.mailbox.newest()}
        assert {(one.content.subject, one.content.text) for one in seen.values()} == {(message.subject, message.text)}
        assert seen["fcm"].content.headers["ttl"] == "600s"
        assert seen["fcm"].content.headers["tag"] == "order-1"
        assert seen["onesignal"].content.headers["ttl"] == "600"
        for one in seen.values():
            assert b'"order": "1"' in one.raw
            assert one.raw.count(b"https://example.test/a.png") >= 2
            assert b"https://example.test/o/1" in one.raw


async def test_all_who_wait_for_an_access_token_share_one() -> None:
    async with phones() as standing, client(**standing.settings("fcm")) as provider:
        outcomes = await asyncio.gather(*[send(provider, letter(device("fcm", free=n))) for n in range(20)])

        assert {outcome.kind for outcome in outcomes} == {ACCEPTED}
        assert standing.calls("fcm", fcm.LOGINS) == 1


async def test_an_access_token_that_no_longer_counts_is_fetched_again_for_the_next_attempt() -> None:
    async with phones() as standing, client(**standing.settings("fcm")) as provider:
        await send(provider, letter(device("fcm")))
        fcm.FCM.login.revoke()
        outcomes = [await send(provider, letter(device("fcm"))) for _ in range(2)]

        assert [judged(outcome) for outcome in outcomes] == [(TRANSIENT, FAULT), (ACCEPTED, NEITHER)]
        assert standing.calls("fcm", fcm.LOGINS) == 2


async def test_a_device_whose_own_push_service_is_not_trusted_costs_no_access_token() -> None:
    phone = device("fcm")
    async with phones() as standing, client(**standing.settings("fcm")) as provider:
        third = fcm.error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR")
        standing.http.rooms["fcm"].will_answer(phone.token, third, third)
        for _ in range(2):
            await send(provider, letter(phone))

        assert standing.calls("fcm", fcm.LOGINS) == 1
