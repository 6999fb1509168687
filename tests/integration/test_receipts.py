"""What a provider reports after it took a message, from its report to the next channel, on a real Postgres."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from shared.callback_links import Subject
from shared.outcomes import Letter, Outcome
from shared.saga import Receipt
from shared.statuses import Channel, NotificationStatus
from shared.store import Store
from tests.fakes import ScriptedProvider
from tests.world import TENANT, USER, World

MAIL_FIRST: dict[str, Any] = {"channels": ["email", "websocket"]}
DELIVERED, FAILED, SENT = NotificationStatus.DELIVERED, NotificationStatus.FAILED, NotificationStatus.SENT


async def come_back(store: Store, notification: UUID) -> bool:
    """Let the mail server report that it could not deliver."""
    about = Subject(tenant=TENANT, notification_id=notification, channel=Channel.EMAIL, epoch=0)
    return await store.receipts.keep(about, Receipt.FAILED, "the mailbox is full", suppress=False)


class HastyProvider(ScriptedProvider):
    """A mail server that reports the failure before its acceptance is recorded here."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    async def send(self, letter: Letter) -> Outcome:
        """Take it, and report at once."""
        assert await come_back(self._store, letter.notification_id)
        return await super().send(letter)


async def inbox(world: World) -> int:
    return len(await world.store.inbox.since(TENANT, USER, 0))


async def test_a_mail_that_comes_back_is_followed_by_the_next_channel(store: Store) -> None:
    world = await World(store).settle_in(MAIL_FIRST)
    notification = await world.post()
    await world.deliver_everything()
    before = await inbox(world)

    await come_back(store, notification)
    await world.hand([world.receipt(notification)])
    await world.deliver_everything()

    assert (before, await inbox(world), await world.status_of(notification)) == (0, 1, SENT)
    deliveries = {row["channel"]: row["status"] for row in (await world.document(notification))["deliveries"]}
    assert deliveries == {"email": "failed", "websocket": "sent"}


async def test_a_report_whose_event_is_lost_is_found_by_the_sweep(store: Store) -> None:
    world = await World(store).settle_in(MAIL_FIRST)
    notification = await world.post()
    await world.deliver_everything()

    await come_back(store, notification)
    await world.turn_clock(16)
    await world.sweep()
    await world.deliver_everything()

    assert (await inbox(world), await world.status_of(notification)) == (1, SENT)


@pytest.mark.parametrize("is_heard_of", [True, False])
async def test_a_report_that_comes_before_our_own_record_is_not_forgotten(store: Store, *, is_heard_of: bool) -> None:
    world = await World(store, email=HastyProvider(store)).settle_in(MAIL_FIRST)
    notification = await world.post_routed()
    await world.deliver_next()

    if is_heard_of:
        await world.hand([world.receipt(notification)])
    await world.deliver_everything()

    assert (await inbox(world), await world.status_of(notification)) == (1, SENT)


async def test_what_comes_back_on_the_last_channel_ends_as_a_dead_letter_and_copies_change_nothing(
    store: Store,
) -> None:
    world = await World(store).settle_in({"channels": ["email"]})
    notification = await world.post()
    await world.deliver_everything()
    await come_back(store, notification)
    await world.hand([world.receipt(notification)])
    await world.deliver_everything()

    await world.redeliver_everything()
    await world.deliver_everything()

    assert await world.status_of(notification) is FAILED
    assert [letter["notification_id"] for letter in await world.dead_letters()] == [str(notification)]
    assert len(world.mail.letters) == 1


async def test_what_asks_for_all_channels_gets_all_and_one_that_comes_back_leaves_the_others(store: Store) -> None:
    world = await World(store).settle_in({**MAIL_FIRST, "strategy": "all"})
    notification = await world.post()
    await world.deliver_everything()
    reached = (len(world.mail.letters), await inbox(world))

    await come_back(store, notification)
    await world.hand([world.receipt(notification)])

    assert (reached, await world.status_of(notification)) == ((1, 1), SENT)


async def test_an_escalation_ends_with_the_first_acknowledgement(store: Store) -> None:
    escalate = {"channels": ["websocket", "email"], "strategy": "escalate", "escalate_after_seconds": 60}
    world = await World(store).settle_in(escalate)
    notification = await world.post()
    await world.deliver_everything()
    await world.turn_clock(66)
    await world.sweep()
    mails = len(world.mail.letters)
    await world.deliver_everything()

    await store.inbox.acknowledge(TENANT, USER, [notification])
    await world.hand([world.receipt(notification)])

    assert (mails, len(world.mail.letters), await world.status_of(notification)) == (0, 1, DELIVERED)


async def test_of_two_notifications_with_one_key_only_the_newer_one_is_sent(store: Store) -> None:
    world = await World(store).settle_in(MAIL_FIRST)
    older = await world.post("position-1", collapse_key="position")
    newer = await world.post("position-2", collapse_key="position")

    await world.deliver_everything()

    document = await world.document(older)
    assert (document["status"], document["reason"]) == ("skipped", "a newer notification has taken its place")
    assert await world.status_of(newer) is SENT
    assert [letter.notification_id for letter in world.mail.letters] == [newer]
    assert await inbox(world) == 0
