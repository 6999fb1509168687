"""One attempt, one claim: who may call a provider, and what is kept of the call."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.outcomes import Outcome
from shared.statuses import Channel, NotificationStatus, OutcomeKind
from shared.store.claims import Claim, Command, Recorded, Verdict
from shared.store.directory import User
from tests.world import ADDRESS, TENANT, USER, World, claims_of, first_command

ACCEPTED = Outcome(kind=OutcomeKind.ACCEPTED, code="250", provider="scripted")
REFUSED = Outcome(kind=OutcomeKind.PERMANENT, code="550", provider="scripted")


async def claim(world: World, command: Command) -> Claim:
    (answer,) = claims_of(await world.store.claims.claim(Channel.EMAIL, [command]))
    return answer


async def record(world: World, command: Command, token: UUID | None, outcome: Outcome, **more: Any) -> None:
    assert token is not None
    item = Recorded(command=command, token=token, tenant=TENANT, outcome=outcome, took_seconds=0.1, **more)
    await world.store.claims.record(Channel.EMAIL, [item])


async def attempts(world: World, notification: UUID) -> list[tuple[str, bool]]:
    return [(row["outcome"], row["ambiguous"]) for row in (await world.document(notification))["attempts"]]


async def test_of_many_who_ask_at_once_one_may_call(world: World) -> None:
    command = first_command(await world.post_routed())

    answers = await asyncio.gather(*[claim(world, command) for _ in range(20)])

    assert Counter(answer.verdict for answer in answers) == {Verdict.CLAIMED: 1, Verdict.LEASED: 19}
    assert await world.value("tries", command.notification_id) == 1


async def test_a_claim_hands_out_the_address_and_the_words(world: World) -> None:
    command = first_command(await world.post_routed())

    answer = await claim(world, command)

    assert (answer.address, answer.user_id, answer.withheld) == (ADDRESS, USER, None)
    assert answer.content["subject"] == "Order shipped"
    assert "on its way" in answer.content["text"]


async def test_copies_within_one_set_get_one_claim(world: World) -> None:
    command = first_command(await world.post_routed())

    answers = await world.store.claims.claim(Channel.EMAIL, [command, command, command])

    assert [answer.verdict for answer in claims_of(answers)] == [Verdict.CLAIMED, Verdict.LEASED, Verdict.LEASED]


async def test_a_stale_copy_does_not_take_the_place_of_the_command_in_the_same_set(world: World) -> None:
    key = await world.post_routed()
    await world.store.database.run("UPDATE deliveries SET attempt = 2")

    answers = await world.store.claims.claim(Channel.EMAIL, [first_command(key), first_command(key, attempt=2)])

    assert [answer.verdict for answer in claims_of(answers)] == [Verdict.STALE, Verdict.CLAIMED]


async def test_sets_in_opposite_orders_never_deadlock(world: World) -> None:
    commands = [first_command(await world.post_routed(f"order-{number}")) for number in range(30)]

    answers = await asyncio.gather(
        *[world.store.claims.claim(Channel.EMAIL, commands[:: 1 if turn % 2 else -1]) for turn in range(6)]
    )

    verdicts = Counter(answer.verdict for each in answers for answer in claims_of(each))
    assert verdicts == {Verdict.CLAIMED: 30, Verdict.LEASED: 150}


async def test_an_expired_lease_is_taken_over_at_the_price_of_an_ambiguous_attempt_and_a_try(world: World) -> None:
    command = first_command(await world.post_routed())
    dead = await claim(world, command)
    await world.let_leases_run_out()

    heir = await claim(world, command)

    assert heir.verdict is Verdict.CLAIMED
    assert heir.token not in (None, dead.token)
    assert await attempts(world, command.notification_id) == [("ambiguous", True)]
    assert await world.value("tries", command.notification_id) == 2


async def test_an_expired_lease_is_taken_over_by_one_of_many(world: World) -> None:
    command = first_command(await world.post_routed())
    await claim(world, command)
    await world.let_leases_run_out()

    answers = await asyncio.gather(*[claim(world, command) for _ in range(10)])

    assert Counter(answer.verdict for answer in answers) == {Verdict.CLAIMED: 1, Verdict.LEASED: 9}
    assert await attempts(world, command.notification_id) == [("ambiguous", True)]


async def test_after_three_lost_leases_nobody_calls_again(world: World) -> None:
    command = first_command(await world.post_routed())
    verdicts = []

    for _ in range(5):
        answer = await claim(world, command)
        verdicts.append(answer.verdict)
        await world.let_leases_run_out()

    assert verdicts == [Verdict.CLAIMED] * 3 + [Verdict.RECORDED] * 2
    assert answer.outcome == "ambiguous"
    assert await attempts(world, command.notification_id) == [("ambiguous", True)] * 3


async def test_a_lost_lease_is_never_taken_over_where_the_workflow_says_never_twice(world: World) -> None:
    await world.settle_in({"on_ambiguous": "hold"})
    command = first_command(await world.post_routed())
    dead = await claim(world, command)
    await world.let_leases_run_out()

    answer = await claim(world, command)

    assert (answer.verdict, answer.outcome, answer.token) == (Verdict.RECORDED, "ambiguous", dead.token)


async def test_a_workflow_without_retries_is_not_given_another_try_by_a_lost_lease(world: World) -> None:
    await world.settle_in({"retry_seconds": []})
    command = first_command(await world.post_routed())
    await claim(world, command)
    await world.let_leases_run_out()

    assert (await claim(world, command)).verdict is Verdict.RECORDED


@pytest.mark.parametrize(("attempt", "epoch"), [(2, 0), (1, 1), (0, 0)])
async def test_a_command_for_another_attempt_or_epoch_does_nothing(world: World, attempt: int, epoch: int) -> None:
    key = await world.post_routed()

    answer = await claim(world, first_command(key, attempt, epoch))

    assert answer.verdict is Verdict.STALE
    assert (await claim(world, first_command(key))).verdict is Verdict.CLAIMED


async def test_a_command_for_what_nobody_has_queued_finds_nothing(world: World) -> None:
    assert (await claim(world, first_command(uuid4()))).verdict is Verdict.MISSING


async def test_a_command_that_comes_early_is_told_how_long_to_wait(world: World) -> None:
    key = await world.post_routed()
    await world.store.database.run("UPDATE deliveries SET due_at = clock_timestamp() + interval '40 seconds'")

    answer = await claim(world, first_command(key))

    assert answer.verdict is Verdict.EARLY
    assert 30 < answer.remaining_seconds <= 40


async def test_what_has_expired_is_not_sent(world: World) -> None:
    key = await world.post_routed()
    await world.store.database.run("UPDATE notifications SET expires_at = clock_timestamp()")

    assert (await claim(world, first_command(key))).verdict is Verdict.EXPIRED


async def test_a_recorded_outcome_is_told_to_whoever_asks_again(world: World) -> None:
    command = first_command(await world.post_routed())
    mine = await claim(world, command)
    await record(world, command, mine.token, ACCEPTED)

    answer = await claim(world, command)

    assert (answer.verdict, answer.token, answer.outcome) == (Verdict.RECORDED, mine.token, "accepted")


WISHES = {
    "it was switched off": (
        "INSERT INTO preferences VALUES ('default', '1', 'general', 'email', false)",
        "the user does not want this category here",
    ),
    "everything was switched off": (
        "INSERT INTO preferences VALUES ('default', '1', '*', 'email', false)",
        "the user does not want this category here",
    ),
    "the address was suppressed": (
        "INSERT INTO suppressions VALUES ('default', 'email', 'one@example.test', 'bounced')",
        "the address is suppressed",
    ),
    "the address was removed": (
        "UPDATE users SET email = NULL",
        "the user has no address for this channel",
    ),
    "the person was removed": ("DELETE FROM users", "nobody knows this user"),
}


@pytest.mark.parametrize("wish", WISHES)
async def test_a_change_of_mind_between_acceptance_and_sending_is_respected(world: World, wish: str) -> None:
    statement, why = WISHES[wish]
    key = await world.post_routed()
    await world.store.database.run(statement)

    assert (await claim(world, first_command(key))).withheld == why


async def test_another_categorys_or_channels_switch_does_not_withhold(world: World) -> None:
    key = await world.post_routed()
    for category, channel in (("marketing", Channel.EMAIL), ("general", Channel.SMS)):
        await world.store.directory.put_preference(TENANT, USER, category, channel, enabled=False)

    assert (await claim(world, first_command(key))).withheld is None


async def test_a_new_address_is_the_one_that_is_used(world: World) -> None:
    key = await world.post_routed()
    await world.store.directory.put_users(TENANT, [User(id=USER, email="new@example.test")])

    assert (await claim(world, first_command(key))).address == "new@example.test"


async def test_a_lost_claims_outcome_is_kept_but_does_not_speak_for_the_delivery(world: World) -> None:
    command = first_command(await world.post_routed())
    zombie = await claim(world, command)
    await world.let_leases_run_out()
    heir = await claim(world, command)

    await record(world, command, zombie.token, REFUSED)

    assert await attempts(world, command.notification_id) == [("permanent", True)]
    assert await world.value("outcome", command.notification_id) is None
    assert await world.value("token", command.notification_id) == heir.token


async def test_a_zombies_success_is_recorded_and_stays_marked_as_ambiguous(world: World) -> None:
    command = first_command(await world.post_routed())
    zombie = await claim(world, command)
    await world.let_leases_run_out()
    await claim(world, command)

    await record(world, command, zombie.token, ACCEPTED)

    assert await attempts(world, command.notification_id) == [("accepted", True)]


async def test_an_outcome_that_is_recorded_twice_stays_what_it_was_first(world: World) -> None:
    command = first_command(await world.post_routed())
    mine = await claim(world, command)

    await record(world, command, mine.token, ACCEPTED)
    await record(world, command, mine.token, REFUSED)

    assert await attempts(world, command.notification_id) == [("accepted", False)]
    assert await world.value("outcome", command.notification_id) == "accepted"


async def test_a_dead_address_is_suppressed_with_the_outcome_that_says_so(world: World) -> None:
    command = first_command(await world.post_routed())
    mine = await claim(world, command)
    bounced = Outcome(kind=OutcomeKind.PERMANENT, code="550 5.1.1", provider="scripted", suppress=True)

    await record(world, command, mine.token, bounced, address=mine.address)

    later = await world.post_routed("order-2")
    assert (await world.document(later))["passed"]["email"] == "the address is suppressed"
    rows = await world.store.database.fetch("SELECT channel, address, reason FROM suppressions")
    assert rows == [("email", ADDRESS, "550 5.1.1")]


async def test_a_claim_given_back_costs_nothing_and_can_be_taken_again(world: World) -> None:
    command = first_command(await world.post_routed())
    mine = await claim(world, command)
    assert mine.token is not None

    await world.store.claims.give_back(Channel.EMAIL, [(command, mine.token)])

    assert await world.value("tries", command.notification_id) == 0
    assert (await claim(world, command)).verdict is Verdict.CLAIMED
    assert await attempts(world, command.notification_id) == []


async def test_nobody_gives_back_the_claim_of_another(world: World) -> None:
    command = first_command(await world.post_routed())
    await claim(world, command)

    await world.store.claims.give_back(Channel.EMAIL, [(command, uuid4())])

    assert (await claim(world, command)).verdict is Verdict.LEASED


async def test_a_postponed_attempt_waits_and_uses_up_no_try(world: World) -> None:
    command = first_command(await world.post_routed())

    await world.store.claims.postpone(Channel.EMAIL, command, seconds=30, why="the breaker is open")

    assert (await claim(world, command)).verdict is Verdict.EARLY
    assert await world.value("tries", command.notification_id) == 0
    assert "the breaker is open" in str((await world.document(command.notification_id))["timeline"])
    await world.turn_clock(31)
    assert (await claim(world, command)).verdict is Verdict.CLAIMED


async def test_a_postponement_never_brings_an_attempt_forward(world: World) -> None:
    command = first_command(await world.post_routed())
    await world.store.database.run("UPDATE deliveries SET due_at = clock_timestamp() + interval '600 seconds'")

    await world.store.claims.postpone(Channel.EMAIL, command, seconds=10, why="the breaker is open")

    assert (await claim(world, command)).remaining_seconds > 500


async def test_what_is_being_sent_is_not_postponed(world: World) -> None:
    command = first_command(await world.post_routed())
    await claim(world, command)

    await world.store.claims.postpone(Channel.EMAIL, command, seconds=30, why="the breaker is open")

    assert (await claim(world, command)).verdict is Verdict.LEASED
    assert await world.status_of(command.notification_id) is NotificationStatus.QUEUED
