"""What becomes of a notification, from acceptance to its end, by the real steps over a real Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from shared.broker.topology import commands
from shared.outcomes import Letter, Outcome, Tell
from shared.statuses import Channel, NotificationStatus, OutcomeKind
from shared.store import Store
from shared.store.claims import Verdict
from tests.fakes import ScriptedProvider
from tests.world import ADDRESS, TENANT, USER, World, claims_of, first_command, lines

SENT, FAILED, UNKNOWN = NotificationStatus.SENT, NotificationStatus.FAILED, NotificationStatus.UNKNOWN
SKIPPED, EXPIRED, DELIVERED = NotificationStatus.SKIPPED, NotificationStatus.EXPIRED, NotificationStatus.DELIVERED
TRANSIENT, PERMANENT, AMBIGUOUS = OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT, OutcomeKind.AMBIGUOUS
AT_FAULT = Outcome(kind=TRANSIENT, code="timeout", provider="scripted", provider_at_fault=True)
INBOX_FIRST = {"channels": ["websocket", "email"], "unless_delivered_within_seconds": {"websocket": 60}}


async def test_an_accepted_event_reaches_the_person_once(world: World) -> None:
    notification = await world.post()

    await world.deliver_everything()

    assert await world.status_of(notification) is SENT
    (letter,) = world.mail.letters
    assert (letter.address, letter.subject) == (ADDRESS, "Order shipped")
    assert await world.outcomes(notification) == ["accepted"]
    assert await world.next_look_in(notification) is None


async def test_the_channel_that_the_event_prefers_comes_first(world: World) -> None:
    notification = await world.post(prefers=Channel.WEBSOCKET)

    await world.deliver_everything()

    assert await world.status_of(notification) is SENT
    assert world.mail.letters == []
    assert len(await world.store.inbox.since(TENANT, USER, 0)) == 1


async def test_retries_after_2_4_and_8_seconds_then_the_next_channel_then_a_dead_letter(store: Store) -> None:
    mail, inbox = ScriptedProvider(*[TRANSIENT] * 9), ScriptedProvider(*[TRANSIENT] * 9)
    world = await World(store, email=mail, websocket=inbox).settle_in()
    notification = await world.post()

    await world.live_on(seconds=1)

    assert await world.status_of(notification) is FAILED
    assert (len(mail.letters), len(inbox.letters)) == (4, 4)
    for channel in (Channel.EMAIL, Channel.WEBSOCKET):
        asked = [message for message in world.broker.published if message.queue == commands(channel)]
        first_of = {message.id: message.delay_seconds for message in reversed(asked)}
        assert sorted(first_of.values()) == [0, 2, 4, 8]
    (letter,) = await world.dead_letters()
    assert (letter["kind"], letter["notification_id"]) == ("notification", str(notification))
    assert [message.id for message in world.parked] == list({message.id for message in world.parked})
    assert len(world.parked) == 1


async def test_an_attempt_is_never_made_before_it_is_due(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(TRANSIENT)).settle_in()
    await world.post()
    await world.deliver_everything()

    retry = next(message for _, message in world.later)
    await world.hand([retry])

    assert len(world.mail.letters) == 1
    await world.live_on(seconds=2)
    assert len(world.mail.letters) == 2


async def test_a_permanent_refusal_is_not_repeated(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(PERMANENT)).settle_in()
    notification = await world.post()

    await world.deliver_everything()

    assert await world.status_of(notification) is SENT
    assert len(world.mail.letters) == 1
    assert len(await world.store.inbox.since(TENANT, USER, 0)) == 1


async def test_throttled_is_not_failed_it_waits_as_told_and_uses_up_no_try(store: Store) -> None:
    throttled = Outcome(kind=OutcomeKind.THROTTLED, code="429", provider="scripted", retry_after_seconds=30)
    world = await World(store, email=ScriptedProvider(*[throttled] * 6)).settle_in()
    notification = await world.post()
    await world.deliver_everything()

    await world.turn_clock(29)
    await world.deliver_everything()
    called_early = len(world.mail.letters)
    await world.live_on(seconds=10)

    assert called_early == 1
    assert len(world.mail.letters) == 7
    assert await world.status_of(notification) is SENT
    assert await world.value("tries", notification) == 1


async def test_a_provider_that_fails_five_times_is_left_alone_and_then_tried_with_one(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(*[AT_FAULT] * 5)).settle_in({"channels": ["email"]})
    for number in range(5):
        await world.post(f"order-{number}")
        await world.deliver_everything()

    waiting = await world.post("order-5")
    await world.deliver_everything()
    called_while_open, tries_while_open = len(world.mail.letters), await world.value("tries", waiting)
    await world.live_on()

    assert (called_while_open, tries_while_open) == (5, 0)
    assert await world.store.views.counts(TENANT) == {"sent": 6}
    assert len(world.mail.letters) == 5 + 6


async def test_an_ambiguous_attempt_is_repeated_and_says_so(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(AMBIGUOUS)).settle_in()
    notification = await world.post()

    await world.live_on()

    document = await world.document(notification)
    assert document["status"] == "sent"
    assert [attempt["ambiguous"] for attempt in document["attempts"]] == [True, False]
    first, second = world.mail.letters
    assert first.idempotency_key == second.idempotency_key


async def test_an_adapter_that_breaks_leaves_an_ambiguous_attempt_not_a_lost_one(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(RuntimeError("a bug"))).settle_in()
    notification = await world.post()

    await world.live_on()

    assert await world.outcomes(notification) == ["ambiguous", "accepted"]


async def test_where_the_workflow_says_never_twice_a_person_decides(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(AMBIGUOUS)).settle_in({"on_ambiguous": "hold"})
    notification = await world.post()

    await world.live_on()

    assert await world.status_of(notification) is UNKNOWN
    assert len(world.mail.letters) == 1
    assert [letter["kind"] for letter in await world.dead_letters()] == ["unknown"]


async def test_never_twice_holds_for_a_worker_that_died_too(store: Store) -> None:
    world = await World(store).settle_in({"on_ambiguous": "hold"})
    notification = await world.post_routed()
    (dead,) = claims_of(await store.claims.claim(Channel.EMAIL, [first_command(notification)]))

    await world.turn_clock(61)
    await world.live_on()

    assert dead.verdict is Verdict.CLAIMED
    assert await world.status_of(notification) is UNKNOWN
    assert world.mail.letters == []


async def test_a_worker_that_died_is_replaced_when_its_lease_ends(world: World) -> None:
    notification = await world.post_routed()
    await world.store.claims.claim(Channel.EMAIL, [first_command(notification)])

    await world.deliver_everything()
    meanwhile = len(world.mail.letters)
    await world.live_on()

    assert meanwhile == 0
    assert await world.status_of(notification) is SENT
    assert await world.outcomes(notification) == ["ambiguous", "accepted"]


class BySets(ScriptedProvider):
    """One that is handed the letters of a set together."""

    async def send_set(self, letters: Sequence[Letter], tell: Tell) -> None:
        """Answer them one after the other."""
        tell([(place, await self.send(letter)) for place, letter in enumerate(letters)])


@pytest.mark.parametrize("kind", [ScriptedProvider, BySets])
async def test_a_call_that_could_outlast_its_lease_is_not_begun(store: Store, kind: type[ScriptedProvider]) -> None:
    world = await World(store, email=kind(deadline_seconds=61)).settle_in()
    notification = await world.post_routed()

    await world.deliver_next()

    assert world.mail.letters == []
    assert (await world.value("status", notification), await world.value("tries", notification)) == ("queued", 0)
    asked_first, asked_again = world.broker.published[-2:]
    assert (asked_first.id, asked_first.queue) == (asked_again.id, asked_again.queue)


async def test_a_message_that_nobody_acknowledges_in_time_follows_by_mail(store: Store) -> None:
    world = await World(store).settle_in(INBOX_FIRST)
    notification = await world.post()
    await world.deliver_everything()
    in_time = (await world.status_of(notification), len(world.mail.letters))

    await world.turn_clock(66)
    await world.sweep()
    await world.deliver_everything()

    assert in_time == (SENT, 0)
    assert len(world.mail.letters) == 1
    document = await world.document(notification)
    assert document["status"] == "sent"
    assert lines(document, "falling_back")[0]["why"] == "not acknowledged within 60 s"


async def acknowledge(world: World, notification: UUID) -> None:
    """Let the client acknowledge; the event of it is lost on its way."""
    assert await world.store.inbox.acknowledge(TENANT, USER, [notification]) == [(notification, 0)]


async def test_an_acknowledged_message_is_delivered_and_no_mail_follows(store: Store) -> None:
    world = await World(store).settle_in(INBOX_FIRST)
    notification = await world.post()
    await world.deliver_everything()

    await acknowledge(world, notification)
    await world.hand([world.receipt(notification)])
    await world.turn_clock(66)
    await world.sweep()
    await world.deliver_everything()

    assert await world.status_of(notification) is DELIVERED
    assert world.mail.letters == []


@pytest.mark.parametrize("seconds", [16, 66])
async def test_an_acknowledgement_counts_even_if_its_event_is_lost(store: Store, seconds: int) -> None:
    world = await World(store).settle_in(INBOX_FIRST)
    notification = await world.post()
    await world.deliver_everything()

    await acknowledge(world, notification)
    await world.turn_clock(seconds)
    await world.sweep()
    await world.deliver_everything()

    assert await world.status_of(notification) is DELIVERED
    assert world.mail.letters == []


async def test_an_acknowledgement_counts_when_the_deadline_is_heard_of_first(store: Store) -> None:
    world = await World(store).settle_in(INBOX_FIRST)
    notification = await world.post()
    await world.deliver_everything()

    await acknowledge(world, notification)
    await world.turn_clock(66)
    await world.deliver_everything()

    assert await world.status_of(notification) is DELIVERED
    assert world.mail.letters == []


async def test_who_opts_out_between_acceptance_and_sending_hears_nothing(store: Store) -> None:
    world = await World(store).settle_in({"channels": ["email"]})
    notification = await world.post_routed()
    await store.directory.put_preference(TENANT, USER, "general", Channel.EMAIL, enabled=False)

    await world.deliver_everything()

    assert await world.status_of(notification) is SKIPPED
    assert world.mail.letters == []
    (withheld,) = lines(await world.document(notification), "withheld")
    assert withheld["why"] == "the user does not want this category here"


async def test_who_opts_out_of_a_channel_hears_on_the_next_one(world: World) -> None:
    notification = await world.post_routed()
    await world.store.directory.put_preference(TENANT, USER, "general", Channel.EMAIL, enabled=False)

    await world.deliver_everything()

    assert (await world.status_of(notification), world.mail.letters) == (SENT, [])
    assert len(await world.store.inbox.since(TENANT, USER, 0)) == 1


async def test_a_notification_for_nobody_we_know_fails_with_the_reason(world: World) -> None:
    notification = await world.post(user="nobody")

    await world.deliver_everything()

    assert await world.status_of(notification) is FAILED
    assert [letter["reason"] for letter in await world.dead_letters()] == ["nobody knows this user"]


async def test_a_dead_letter_that_is_started_over_is_sent_in_its_next_epoch(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(PERMANENT)).settle_in({"channels": ["email"]})
    notification = await world.post()
    await world.deliver_everything()
    (letter,) = await world.dead_letters()

    await store.dead_letters.replay(TENANT, UUID(letter["id"]), by="somebody")
    await world.live_on()

    document = await world.document(notification)
    assert (document["status"], document["epoch"]) == ("sent", 1)
    assert [(row["epoch"], row["outcome"]) for row in document["attempts"]] == [(0, "permanent"), (1, "accepted")]
    first, second = world.mail.letters
    assert first.idempotency_key != second.idempotency_key


async def test_a_command_of_an_older_epoch_does_nothing_after_a_replay(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(PERMANENT)).settle_in({"channels": ["email"]})
    notification = await world.post()
    await world.deliver_everything()
    (letter,) = await world.dead_letters()
    await store.dead_letters.replay(TENANT, UUID(letter["id"]), by="somebody")
    await world.hand([world.accepted(notification, epoch=1)])

    await world.redeliver_everything()

    assert len(world.mail.letters) == 1
    assert await world.status_of(notification) is NotificationStatus.QUEUED


async def test_nothing_stale_is_sent(world: World) -> None:
    notification = await world.post()
    command_waits = await world.post_routed("order-2")

    await world.turn_clock(24 * 3600 + 1)
    await world.sweep()
    await world.deliver_everything()

    assert await world.status_of(notification) is EXPIRED
    assert await world.status_of(command_waits) is EXPIRED
    assert world.mail.letters == []


async def test_what_expires_while_its_command_waits_ends_without_the_sweep_too(world: World) -> None:
    notification = await world.post_routed()

    await world.turn_clock(24 * 3600 + 1)
    await world.deliver_everything()

    assert (await world.status_of(notification), world.mail.letters) == (EXPIRED, [])
