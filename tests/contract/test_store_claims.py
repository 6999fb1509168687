"""One attempt, one claim, in Postgres and in memory: who may call, and what is kept of the call."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from shared.saga import OnAmbiguous, Plan, Routed, Why
from shared.statuses import Channel, DeliveryStatus, NotificationStatus, OutcomeKind
from shared.store.claims import Command, Verdict
from shared.store.directory import User
from tests.contract.stage import ADDRESS, EMAIL, LEASE_IS_OVER_SECONDS, TENANT, USER, WEBSOCKET, Stage, outcome
from tests.world import claims_of

ACCEPTED, REFUSED = outcome(OutcomeKind.ACCEPTED), outcome(OutcomeKind.PERMANENT)
UNCLEAR = outcome(OutcomeKind.AMBIGUOUS)


async def test_of_many_who_ask_at_once_one_may_call(stage: Stage) -> None:
    command = await stage.route()

    answers = await asyncio.gather(*[stage.claim(command) for _ in range(10)])

    assert Counter(answer.verdict for answer in answers) == {Verdict.CLAIMED: 1, Verdict.LEASED: 9}
    assert (await stage.delivery(command.notification_id)).tries == 1


async def test_a_claim_hands_out_the_address_and_the_words(stage: Stage) -> None:
    claim = await stage.claim(await stage.route())

    assert (claim.address, claim.user_id, claim.tenant, claim.withheld) == (ADDRESS, USER, TENANT, None)
    assert claim.content == {"subject": "Hello", "text": "There."}


async def test_copies_within_one_set_get_one_claim(stage: Stage) -> None:
    command = await stage.route()
    stale = replace(command, attempt=7)

    answers = await stage.store.claims.claim(EMAIL, [stale, command, command, stale])

    verdicts = [answer.verdict for answer in claims_of(answers)]
    assert verdicts == [Verdict.STALE, Verdict.CLAIMED, Verdict.LEASED, Verdict.LEASED]


async def test_sets_in_opposite_orders_never_deadlock(stage: Stage) -> None:
    commands = [await stage.route(number) for number in range(8)]

    answers = await asyncio.gather(
        *[stage.store.claims.claim(EMAIL, commands[:: 1 if turn % 2 else -1]) for turn in range(6)]
    )

    verdicts = Counter(answer.verdict for each in answers for answer in claims_of(each))
    assert verdicts == {Verdict.CLAIMED: 8, Verdict.LEASED: 40}


@pytest.mark.parametrize(("attempt", "epoch"), [(2, 0), (1, 1), (0, 0)])
async def test_a_command_for_another_attempt_or_epoch_does_nothing(stage: Stage, attempt: int, epoch: int) -> None:
    command = await stage.route()

    answer = await stage.claim(replace(command, attempt=attempt, epoch=epoch))

    assert answer.verdict is Verdict.STALE
    assert (await stage.claim(command)).verdict is Verdict.CLAIMED


async def test_a_command_for_what_nobody_has_queued_finds_nothing(stage: Stage) -> None:
    command = await stage.route()

    unknown, elsewhere = await stage.claim(Command(uuid4(), 1, 0)), await stage.claim(command, WEBSOCKET)

    assert (unknown.verdict, elsewhere.verdict) == (Verdict.MISSING, Verdict.MISSING)


async def test_an_expired_lease_is_taken_over_once_at_the_price_of_an_ambiguous_attempt_and_a_try(stage: Stage) -> None:
    command = await stage.route()
    dead = await stage.claim(command)
    await stage.turn_clock(LEASE_IS_OVER_SECONDS)

    answers = await asyncio.gather(*[stage.claim(command) for _ in range(5)])

    delivery = await stage.delivery(command.notification_id)
    heir = next(answer for answer in answers if answer.verdict is Verdict.CLAIMED)
    assert Counter(answer.verdict for answer in answers) == {Verdict.CLAIMED: 1, Verdict.LEASED: 4}
    assert heir.token not in (None, dead.token)
    assert (delivery.tries, delivery.takeovers, delivery.token) == (2, 1, heir.token)
    assert await stage.attempts(command.notification_id) == [("ambiguous", True)]


async def test_after_three_lost_leases_nobody_calls_again(stage: Stage) -> None:
    command, verdicts = await stage.route(), []

    for _ in range(5):
        answer = await stage.claim(command)
        verdicts.append(answer.verdict)
        await stage.turn_clock(LEASE_IS_OVER_SECONDS)

    assert verdicts == [Verdict.CLAIMED] * 3 + [Verdict.RECORDED] * 2
    assert answer.outcome == "ambiguous"
    assert await stage.attempts(command.notification_id) == [("ambiguous", True)] * 3


@pytest.mark.parametrize("plan", [{"on_ambiguous": OnAmbiguous.HOLD}, {"retry_seconds": ()}])
async def test_a_lost_lease_is_not_taken_over_where_the_workflow_allows_no_more(
    stage: Stage, plan: dict[str, object]
) -> None:
    command = await stage.route(1, EMAIL, **plan)
    dead = await stage.claim(command)
    await stage.turn_clock(LEASE_IS_OVER_SECONDS)

    answer = await stage.claim(command)

    assert (answer.verdict, answer.outcome, answer.token) == (Verdict.RECORDED, "ambiguous", dead.token)
    assert await stage.attempts(command.notification_id) == [("ambiguous", True)]


async def test_a_command_that_comes_early_is_told_how_long_to_wait(stage: Stage) -> None:
    command = await stage.route()
    await stage.store.claims.postpone(EMAIL, command, seconds=40, why="a test says so")

    answer = await stage.claim(command)

    assert answer.verdict is Verdict.EARLY
    assert 30 < answer.remaining_seconds <= 40


async def test_what_has_expired_is_not_sent(stage: Stage) -> None:
    command = await stage.route()
    await stage.turn_clock(24 * 3600)

    assert (await stage.claim(command)).verdict is Verdict.EXPIRED


async def test_a_lease_that_runs_out_after_the_end_is_lost(stage: Stage) -> None:
    command = await stage.route()
    await stage.claim(command)
    await stage.turn_clock(24 * 3600)

    assert (await stage.claim(command)).verdict is Verdict.RECORDED


async def test_a_recorded_outcome_is_told_to_whoever_asks_again(stage: Stage) -> None:
    command = await stage.route()
    mine = await stage.claim(command)
    await stage.record(command, mine.token, ACCEPTED)

    answer = await stage.claim(command)

    assert (answer.verdict, answer.token, answer.outcome) == (Verdict.RECORDED, mine.token, "accepted")


async def test_what_is_sent_is_stale(stage: Stage) -> None:
    command = await stage.route()
    mine = await stage.claim(command)
    await stage.record(command, mine.token, ACCEPTED)

    saga = await stage.fold_attempt(command, mine.token)

    assert saga.status is NotificationStatus.SENT
    assert (await stage.claim(command)).verdict is Verdict.STALE


@pytest.mark.parametrize("category", ["general", "*"])
async def test_who_has_opted_out_since_is_not_sent_anything(stage: Stage, category: str) -> None:
    command = await stage.route()
    await stage.store.directory.put_preference(TENANT, USER, category, EMAIL, enabled=False)

    answer = await stage.claim(command)

    assert (answer.verdict, answer.withheld) == (Verdict.CLAIMED, Why.OPTED_OUT.value)


async def test_a_wish_about_something_else_or_that_was_taken_back_withholds_nothing(stage: Stage) -> None:
    command = await stage.route()
    for category, channel, enabled in (
        ("news", EMAIL, False),
        ("general", Channel.SMS, False),
        ("general", EMAIL, False),
        ("general", EMAIL, True),
    ):
        await stage.store.directory.put_preference(TENANT, USER, category, channel, enabled=enabled)

    assert (await stage.claim(command)).withheld is None


async def test_the_wish_is_about_the_category_of_the_plan(stage: Stage) -> None:
    command = await stage.route(1, EMAIL, category="news")
    await stage.store.directory.put_preference(TENANT, USER, "news", EMAIL, enabled=False)

    assert (await stage.claim(command)).withheld == Why.OPTED_OUT.value


async def test_without_an_address_nothing_can_be_sent(stage: Stage) -> None:
    command, other = await stage.route(1), await stage.route(2, WEBSOCKET)
    await stage.store.directory.put_users(TENANT, [User(id=USER)])

    answers = await stage.claim(command), await stage.claim(other, WEBSOCKET)

    assert [(answer.withheld, answer.address) for answer in answers] == [(Why.NO_ADDRESS.value, None), (None, USER)]


async def test_a_dead_address_is_suppressed_with_the_outcome_that_says_so(stage: Stage) -> None:
    command, later = await stage.route(1), await stage.route(2)
    mine = await stage.claim(command)

    await stage.record(command, mine.token, replace(REFUSED, suppress=True), address=mine.address)

    assert (await stage.claim(later)).withheld == Why.SUPPRESSED.value


async def keyed(stage: Stage, number: int, collapse_key: str | None = "position", user: str = USER) -> Command:
    """Keep and route a notification with a collapse key, a second after the one before."""
    await stage.turn_clock(1)
    key = await stage.keep(number, user=user, collapse_key=collapse_key)
    await stage.fold(key, Routed(plan=Plan(), wanted=(EMAIL,)))
    return Command(key, 1, 0)


async def test_what_a_newer_one_with_the_same_key_replaces_is_not_sent_and_the_newer_one_is(stage: Stage) -> None:
    older, newer = await keyed(stage, 1), await keyed(stage, 2)

    answers = await stage.claim(older), await stage.claim(newer)

    assert [answer.withheld for answer in answers] == [Why.SUPERSEDED.value, None]
    assert [answer.collapse_key for answer in answers] == ["position"] * 2


@pytest.mark.parametrize(
    ("mine", "other", "whose"), [("a", "b", USER), ("a", None, USER), (None, None, USER), ("a", "a", "2")]
)
async def test_another_key_and_another_person_replace_nothing(
    stage: Stage, mine: str | None, other: str | None, whose: str
) -> None:
    await stage.store.directory.put_users(TENANT, [User(id="2", email="two@example.test")])

    command = await keyed(stage, 1, mine)
    await keyed(stage, 2, other, whose)

    assert (await stage.claim(command)).withheld is None


async def test_what_waits_to_be_tried_again_is_replaced_as_well(stage: Stage) -> None:
    command = await keyed(stage, 1)
    claim = await stage.claim(command)
    await stage.record(command, claim.token, outcome(OutcomeKind.TRANSIENT))
    await stage.fold_attempt(command, claim.token)

    await keyed(stage, 2)
    await stage.turn_clock(3)

    assert (await stage.claim(replace(command, attempt=2))).withheld == Why.SUPERSEDED.value


async def test_a_lost_claims_outcome_is_kept_but_does_not_speak_for_the_delivery(stage: Stage) -> None:
    command = await stage.route()
    zombie = await stage.claim(command)
    await stage.turn_clock(LEASE_IS_OVER_SECONDS)
    heir = await stage.claim(command)

    await stage.record(command, zombie.token, REFUSED)

    delivery = await stage.delivery(command.notification_id)
    assert await stage.attempts(command.notification_id) == [("permanent", True)]
    assert (delivery.outcome, delivery.token, delivery.status) == (None, heir.token, DeliveryStatus.SENDING)


@pytest.mark.parametrize(
    ("first", "then", "kept"),
    [
        (ACCEPTED, REFUSED, ("accepted", False)),
        (REFUSED, ACCEPTED, ("permanent", False)),
        (UNCLEAR, ACCEPTED, ("accepted", True)),
    ],
)
async def test_the_first_clear_word_about_an_attempt_stays(
    stage: Stage, first: object, then: object, kept: tuple[str, bool]
) -> None:
    command = await stage.route()
    mine = await stage.claim(command)

    await stage.record(command, mine.token, first)  # type: ignore[arg-type]
    spoken = (await stage.delivery(command.notification_id)).outcome
    await stage.record(command, mine.token, then)  # type: ignore[arg-type]

    assert await stage.attempts(command.notification_id) == [kept]
    assert (await stage.delivery(command.notification_id)).outcome is spoken


async def test_all_that_is_learnt_later_about_an_unclear_attempt_is_kept(stage: Stage) -> None:
    command = await stage.route()
    mine = await stage.claim(command)
    assert mine.token is not None
    await stage.record(command, mine.token, UNCLEAR)

    later = outcome(OutcomeKind.THROTTLED, reason="later", retry_after_seconds=7.5)
    await stage.record(command, mine.token, later, withheld=True)

    async with stage.store.sagas.transaction() as sagas:
        (said,) = (await sagas.attempts([(command.notification_id, mine.token)])).values()
    assert (said.outcome, said.code, said.reason) == (OutcomeKind.THROTTLED, "throttled", "later")
    assert (said.retry_after_seconds, said.withheld) == (7.5, True)


async def test_a_word_under_a_token_that_nobody_was_given_moves_no_delivery(stage: Stage) -> None:
    command = await stage.route()
    await stage.claim(command)

    await stage.record(command, UUID(int=7), ACCEPTED)

    delivery = await stage.delivery(command.notification_id)
    assert (delivery.outcome, delivery.lease_until is not None) == (None, True)


async def test_a_claim_given_back_costs_nothing_and_can_be_taken_again(stage: Stage) -> None:
    command = await stage.route()
    mine = await stage.claim(command)
    assert mine.token is not None

    await stage.store.claims.give_back(EMAIL, [(command, mine.token)])

    delivery = await stage.delivery(command.notification_id)
    assert (delivery.tries, delivery.token, delivery.status) == (0, None, DeliveryStatus.QUEUED)
    assert (await stage.claim(command)).verdict is Verdict.CLAIMED
    assert await stage.attempts(command.notification_id) == []


async def test_nobody_gives_back_the_claim_of_another_or_one_that_is_settled(stage: Stage) -> None:
    command, settled = await stage.route(1), await stage.route(2)
    await stage.claim(command)
    mine = await stage.claim(settled)
    assert mine.token is not None
    await stage.record(settled, mine.token, ACCEPTED)

    await stage.store.claims.give_back(EMAIL, [(command, uuid4()), (settled, mine.token)])

    verdicts = [(await stage.claim(command)).verdict, (await stage.claim(settled)).verdict]
    assert verdicts == [Verdict.LEASED, Verdict.RECORDED]


async def test_a_postponed_attempt_waits_and_uses_up_no_try(stage: Stage) -> None:
    command = await stage.route()

    await stage.store.claims.postpone(EMAIL, command, seconds=30, why="the breaker is open")

    document = await stage.store.views.notification(TENANT, command.notification_id)
    assert (await stage.claim(command)).verdict is Verdict.EARLY
    assert (await stage.delivery(command.notification_id)).tries == 0
    assert "the breaker is open" in str(document)
    await stage.turn_clock(31)
    assert (await stage.claim(command)).verdict is Verdict.CLAIMED


async def test_a_postponement_never_brings_an_attempt_forward(stage: Stage) -> None:
    command = await stage.route()
    await stage.store.claims.postpone(EMAIL, command, seconds=600, why="the breaker is open")

    await stage.store.claims.postpone(EMAIL, command, seconds=10, why="the breaker is open")

    assert (await stage.claim(command)).remaining_seconds > 500


async def test_what_waits_already_is_not_put_off_by_another_postponement(stage: Stage) -> None:
    command = await stage.route()
    first = await stage.store.claims.postpone(EMAIL, command, seconds=30, why="the breaker is open")

    again = await stage.store.claims.postpone(EMAIL, command, seconds=600, why="the breaker is open")

    assert 28 < again <= first <= 30
    assert (await stage.claim(command)).remaining_seconds <= 30
    await stage.turn_clock(31)
    assert 598 < await stage.store.claims.postpone(EMAIL, command, seconds=600, why="the breaker is open") <= 600
    assert (await stage.claim(command)).remaining_seconds > 500


async def test_what_is_being_sent_or_of_another_attempt_is_not_postponed(stage: Stage) -> None:
    command, other = await stage.route(1), await stage.route(2)
    await stage.claim(command)

    for one in (command, replace(other, attempt=2), replace(other, epoch=1)):
        assert await stage.store.claims.postpone(EMAIL, one, seconds=30, why="the breaker is open") == 30

    assert (await stage.claim(command)).verdict is Verdict.LEASED
    assert (await stage.claim(other)).verdict is Verdict.CLAIMED


async def test_a_claim_tells_for_how_long_an_earlier_attempt_has_been_in_doubt(stage: Stage) -> None:
    command = await stage.route()
    first = await stage.claim(command)
    await stage.turn_clock(LEASE_IS_OVER_SECONDS)

    heir = await stage.claim(command)

    assert first.in_doubt_for_seconds is None
    assert heir.in_doubt_for_seconds == pytest.approx(LEASE_IS_OVER_SECONDS, abs=5)
    assert first.expires_in_seconds == pytest.approx(86_400, abs=5)
