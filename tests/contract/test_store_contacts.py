"""What people want and when, in Postgres and in memory: as it is kept, where it is routed, and at the claim."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.contact_policy import ContactPolicy
from shared.saga import Why
from shared.saga.occurrences import QUIET_HOURS
from shared.statuses import Channel, DeliveryStatus, OutcomeKind
from shared.store.claims import Verdict
from shared.store.contacts import Preferences
from shared.store.facts import Facts
from tests.contract.stage import EMAIL, LEASE_IS_OVER_SECONDS, TENANT, USER, WEBSOCKET, Stage, outcome
from tests.world import claims_of

SMS = Channel.SMS
CRITICAL = ContactPolicy(critical=("security",))


def around_now(**more: Any) -> dict[str, Any]:
    """Make quiet hours that began an hour ago and last for another hour, in UTC."""
    now = datetime.now(UTC)
    starts, ends = now - timedelta(hours=1), now + timedelta(hours=1)
    return {"from": f"{starts:%H:%M}", "to": f"{ends:%H:%M}", "channels": ["email", "sms"], **more}


async def says(stage: Stage, **said: Any) -> None:
    assert await stage.store.contacts.put_preferences(TENANT, USER, Preferences(**said))


async def facts(stage: Stage, key: UUID) -> Facts:
    async with stage.store.sagas.transaction() as sagas:
        await sagas.lock([key])
        return (await sagas.facts([key]))[key]


async def test_what_a_person_says_is_kept_as_a_whole(stage: Stage) -> None:
    await stage.store.directory.put_preference(TENANT, USER, "old", EMAIL, enabled=False)
    said = Preferences(wishes={"news": {EMAIL: False, SMS: True}}, quiet_hours=around_now(), time_zone="Europe/Berlin")

    assert await stage.store.contacts.put_preferences(TENANT, USER, said)

    assert await stage.store.contacts.preferences(TENANT, USER) == said
    assert await stage.store.contacts.preferences("other", USER) is None
    assert not await stage.store.contacts.put_preferences(TENANT, "nobody", said)


async def test_a_policy_is_kept_by_its_tenant(stage: Stage) -> None:
    policy = ContactPolicy.model_validate(
        {
            "critical": ["security"],
            "defaults": {"news": {"sms": False}},
            "quiet_hours": around_now(),
            "caps": [{"channel": "sms", "most": 2, "per": "day"}],
        }
    )

    await stage.store.contacts.put_policy(TENANT, policy)

    assert await stage.store.contacts.policy(TENANT) == policy
    assert await stage.store.contacts.policy("other") == ContactPolicy()


@pytest.mark.parametrize(
    ("defaults", "wishes", "is_wanted"),
    [
        ({}, {}, True),
        ({}, {"news": {EMAIL: False}}, False),
        ({}, {"*": {EMAIL: False}}, False),
        ({}, {"*": {EMAIL: False}, "news": {EMAIL: True}}, True),
        ({}, {"*": {EMAIL: True}, "news": {EMAIL: False}}, False),
        ({}, {"other": {EMAIL: False}, "news": {SMS: False}}, True),
        ({"news": {EMAIL: False}}, {}, False),
        ({"*": {EMAIL: False}}, {}, False),
        ({"*": {EMAIL: False}, "news": {EMAIL: True}}, {}, True),
        ({"news": {EMAIL: False}}, {"news": {EMAIL: True}}, True),
        ({"news": {EMAIL: False}}, {"*": {EMAIL: True}}, True),
        ({"news": {EMAIL: True}}, {"*": {EMAIL: False}}, False),
        ({"other": {EMAIL: False}, "news": {SMS: False}}, {}, True),
    ],
)
async def test_the_most_specific_word_counts_where_it_is_routed_and_where_it_is_sent(
    stage: Stage, defaults: Any, wishes: Any, is_wanted: bool
) -> None:
    await stage.store.directory.put_workflow(TENANT, "*", {"category": "news"})
    command = await stage.route(1, EMAIL, category="news")
    await stage.store.contacts.put_policy(TENANT, ContactPolicy(defaults=defaults))
    await says(stage, wishes=wishes)

    routing, claim = await facts(stage, await stage.keep(2)), await stage.claim(command)

    why = None if is_wanted else Why.OPTED_OUT
    assert (routing.obstacles.get(EMAIL), claim.withheld) == (why, why and why.value)


async def test_what_is_critical_comes_whatever_is_said_against_it(stage: Stage) -> None:
    await stage.store.directory.put_workflow(TENANT, "*", {"category": "security"})
    await stage.store.contacts.put_policy(TENANT, CRITICAL)
    await says(stage, wishes={"security": {EMAIL: False}, "*": {EMAIL: False}}, quiet_hours=around_now())
    command = await stage.route(1, EMAIL, category="security")

    routing, claim = await facts(stage, command.notification_id), await stage.claim(command)

    assert (routing.obstacles.get(EMAIL), dict(routing.left_alone)) == (None, {})
    assert (claim.verdict, claim.withheld) == (Verdict.CLAIMED, None)


async def test_routing_knows_until_when_a_person_is_left_alone_and_where(stage: Stage) -> None:
    await says(stage, quiet_hours=around_now())

    found = dict((await facts(stage, await stage.keep())).left_alone)

    assert set(found) == {EMAIL, SMS}
    assert timedelta(minutes=58) < found[EMAIL] - datetime.now(UTC) <= timedelta(hours=1)


@pytest.mark.parametrize("whose", ["theirs", "the tenant's"])
async def test_what_is_to_be_sent_in_quiet_hours_waits_for_their_end(stage: Stage, whose: str) -> None:
    command = await stage.route()
    if whose == "theirs":
        await says(stage, quiet_hours=around_now())
    else:
        policy = ContactPolicy.model_validate({"quiet_hours": around_now()})
        await stage.store.contacts.put_policy(TENANT, policy)

    first, again = await stage.claim(command), await stage.claim(command)

    delivery = await stage.delivery(command.notification_id)
    document = await stage.store.views.notification(TENANT, command.notification_id)
    assert document is not None
    assert [first.verdict, again.verdict] == [Verdict.EARLY, Verdict.EARLY]
    assert 58 * 60 < first.remaining_seconds <= 3600
    assert (delivery.status, delivery.tries, delivery.attempt) == (DeliveryStatus.DEFERRED, 0, 1)
    (line,) = [line for line in document["timeline"] if line["what"] == "deferred"]
    assert (line["why"], line["channel"]) == (QUIET_HOURS, "email")
    assert datetime.fromisoformat(line["detail"]["due_at"]) == delivery.due_at


async def test_when_quiet_hours_are_over_it_is_sent(stage: Stage) -> None:
    command = await stage.route()
    await says(stage, quiet_hours=around_now())
    await stage.claim(command)

    await says(stage)
    await stage.turn_clock(3601)

    assert (await stage.claim(command)).verdict is Verdict.CLAIMED


@pytest.mark.parametrize(
    ("channel", "quiet_hours"),
    [(WEBSOCKET, around_now()), (EMAIL, {}), (EMAIL, around_now(channels=["sms"]))],
    ids=["another channel", "switched off", "for another channel"],
)
async def test_quiet_hours_hold_up_nothing_else(stage: Stage, channel: Channel, quiet_hours: dict[str, Any]) -> None:
    if not quiet_hours:
        policy = ContactPolicy.model_validate({"quiet_hours": around_now()})
        await stage.store.contacts.put_policy(TENANT, policy)
    command = await stage.route(1, channel)
    await says(stage, quiet_hours=quiet_hours)

    assert (await stage.claim(command, channel)).verdict is Verdict.CLAIMED


async def test_a_claim_that_nobody_came_back_from_is_not_taken_over_in_quiet_hours(stage: Stage) -> None:
    command = await stage.route()
    lost = await stage.claim(command)
    await stage.turn_clock(LEASE_IS_OVER_SECONDS)
    await says(stage, quiet_hours=around_now())

    answer = await stage.claim(command)

    delivery = await stage.delivery(command.notification_id)
    assert lost.verdict is Verdict.CLAIMED
    assert (answer.verdict, delivery.status) == (Verdict.EARLY, DeliveryStatus.DEFERRED)
    assert (delivery.takeovers, delivery.tries, delivery.token) == (1, 1, None)
    assert await stage.attempts(command.notification_id) == [("ambiguous", True)]
    await says(stage)
    await stage.turn_clock(3601)
    assert (await stage.claim(command)).verdict is Verdict.CLAIMED


def capped(*caps: dict[str, Any], **more: Any) -> ContactPolicy:
    return ContactPolicy.model_validate({"caps": caps, **more})


TWO_AN_HOUR = {"channel": "email", "most": 2, "per": "hour"}


async def test_of_many_at_once_as_many_are_sent_as_the_cap_lets_through(stage: Stage) -> None:
    await stage.store.contacts.put_policy(TENANT, capped(TWO_AN_HOUR))
    commands = [await stage.route(number) for number in range(9)]

    sets = [stage.store.claims.claim(EMAIL, commands[start::3]) for start in range(3)]
    answers = [answer for each in await asyncio.gather(*sets) for answer in claims_of(each)]

    assert {answer.verdict for answer in answers} == {Verdict.CLAIMED}
    assert Counter(answer.withheld for answer in answers) == {None: 2, Why.CAPPED.value: 7}


async def test_what_has_its_place_keeps_it_for_every_try(stage: Stage) -> None:
    await stage.store.contacts.put_policy(TENANT, capped({**TWO_AN_HOUR, "most": 1}))
    command = await stage.route()
    mine = await stage.claim(command)
    await stage.record(command, mine.token, outcome(OutcomeKind.TRANSIENT))
    await stage.fold_attempt(command, mine.token)
    await stage.turn_clock(5)

    again, another = await stage.claim(replace(command, attempt=2)), await stage.claim(await stage.route(2))

    assert (again.withheld, another.withheld) == (None, Why.CAPPED.value)


async def test_places_are_free_again_when_the_hour_is_over(stage: Stage) -> None:
    await stage.store.contacts.put_policy(TENANT, capped(TWO_AN_HOUR, {**TWO_AN_HOUR, "most": 3, "per": "day"}))
    said = []

    for number in range(6):
        said.append((await stage.claim(await stage.route(number))).withheld is None)
        await stage.turn_clock(1500)

    assert said == [True, True, False, True, False, False]


@pytest.mark.parametrize(
    ("cap", "first", "second", "is_sent"),
    [
        ({"category": "*"}, "news", "orders", False),
        ({"category": "news"}, "news", "news", False),
        ({"category": "news"}, "orders", "news", True),
        ({"category": "news"}, "news", "orders", True),
        ({"category": "*"}, "security", "news", True),
        ({"category": "*"}, "news", "security", True),
        ({"channel": "sms"}, "news", "news", True),
    ],
)
async def test_a_cap_counts_its_category_on_its_channel_and_nothing_critical(
    stage: Stage, cap: dict[str, Any], first: str, second: str, is_sent: bool
) -> None:
    policy = capped({**TWO_AN_HOUR, "most": 1, **cap}, critical=["security"])
    await stage.store.contacts.put_policy(TENANT, policy)

    answers = [
        await stage.claim(await stage.route(number, EMAIL, category=category))
        for number, category in enumerate([first, second])
    ]

    assert [answer.withheld is None for answer in answers] == [True, is_sent]
