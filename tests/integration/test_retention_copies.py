"""What comes about a notification that was deleted does no harm, and the same event is a new one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from shared import serve
from shared.broker.topology import EVENTS
from shared.callback_links import Subject
from shared.outcomes import Outcome
from shared.saga import Receipt
from shared.serve import App
from shared.statuses import Channel, NotificationStatus, OutcomeKind
from shared.store import Store
from shared.store.claims import Recorded
from shared.store.directory import User
from shared.store.inbox import Mark
from tests.asgi import call
from tests.integration.retaining import DAYS, discard, ended, failed, is_there, keep, pass_days, rows_of
from tests.integration.test_digests import HOURLY, collected, digests_of
from tests.world import EMAIL, TENANT, USER, World, doomed, first_command, lines

ACCEPTED = Outcome(kind=OutcomeKind.ACCEPTED, code="250", provider="scripted")


@pytest.fixture
async def ingest(keeping: World) -> AsyncIterator[App]:
    app = serve.build("ingest", keeping.resources)
    yield app
    await app.drain()


async def test_copies_of_every_message_about_it_are_acknowledged_and_change_nothing(store: Store) -> None:
    world = keep(await doomed(store))
    notification, letter = await failed(world)
    await discard(world, letter)
    await pass_days(world)
    await world.sweep()
    calls, told = len(world.mail.letters), len(world.broker.published)

    answers = [await world.hand([message]) for message in list(world.handed.values())]
    answers.append(await world.hand([world.receipt(notification)]))
    together = [message for message in world.handed.values() if message.queue == EVENTS]
    answers.append(await world.hand(together))

    assert {message.queue for message in world.handed.values()} == set(world.frames)
    assert {status for answer in answers for status in answer} == {204}
    assert (len(world.mail.letters), len(world.broker.published)) == (calls, told)
    assert await rows_of(world, notification) == Counter()


async def test_what_providers_people_and_clients_say_of_it_later_does_no_harm(keeping: World, ingest: App) -> None:
    notification = await ended(keeping)
    await pass_days(keeping)
    await keeping.sweep()
    store, about = keeping.store, Subject(tenant=TENANT, notification_id=notification, channel=Channel.EMAIL, epoch=0)

    bounced = await store.receipts.keep(about, Receipt.FAILED, "550 gone", suppress=True)
    acknowledged = await store.inbox.acknowledge(TENANT, USER, [notification])
    marked = await store.inbox.mark(TENANT, USER, Mark.READ, [notification])
    address = f"/api/v1/notifications/{notification}"
    statuses = [
        (await call(ingest, method, address + part)).status
        for method, part in (("GET", ""), ("GET", "/explain"), ("POST", "/cancel"))
    ]

    assert (bounced, acknowledged, marked, statuses) == (False, [], set(), [404, 404, 404])
    assert await rows_of(keeping, notification) == Counter()
    assert await store.database.fetch("SELECT * FROM suppressions") == []


async def test_a_success_that_comes_when_all_is_gone_is_not_announced_for_ever(keeping: World) -> None:
    notification = await ended(keeping)
    await pass_days(keeping)
    await keeping.sweep()
    item = Recorded(command=first_command(notification), token=uuid4(), tenant=TENANT, outcome=ACCEPTED, took_seconds=1)
    await keeping.store.claims.record(EMAIL, [item])
    await keeping.turn_clock(31)
    await keeping.sweep()
    await keeping.deliver_everything()

    told = len(keeping.broker.published)
    await keeping.turn_clock(3600)
    await keeping.sweep()

    assert len(keeping.broker.published) == told
    assert not await is_there(keeping, notification)


async def test_the_same_event_posted_after_that_is_new_and_ends_as_any_other(store: Store) -> None:
    world = keep(await doomed(store))
    notification, letter = await failed(world)
    await discard(world, letter)
    await store.dead_letters.count_failure("deliver-email", f"{notification}.email.1.0")
    await pass_days(world)
    await world.sweep()

    again, another_letter = await failed(world)

    document = await world.document(again)
    assert (again, another_letter) == (notification, letter)
    assert len(lines(document, "accepted")) == 1
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["permanent", "permanent"]
    assert await store.dead_letters.count_failure("deliver-email", f"{notification}.email.1.0") == 1


async def test_an_event_for_many_goes_with_them_and_a_copy_of_its_message_makes_nothing_anew(
    keeping: World, ingest: App
) -> None:
    await keeping.store.directory.put_users(TENANT, [User(id="2", email="two@example.test")])
    body = json.dumps({"event_type": "sale", "id": "sale-1", "user_ids": ["1", "2"], "data": {"message": "Sale"}})
    answer = await call(ingest, "POST", "/events", body.encode(), {"content-type": "application/json"})
    await ingest.drain()
    await keeping.deliver_everything()
    await pass_days(keeping)

    await keeping.sweep()
    await keeping.redeliver_everything()
    await keeping.deliver_everything()

    shown = await call(ingest, "GET", f"/events/fan-outs/{answer.document['fan_out_id']}")
    assert shown.status == 404
    assert await keeping.store.database.fetch("SELECT id FROM notifications") == []
    assert len(keeping.mail.letters) == 2


async def test_an_inbox_and_its_receipts_go_with_their_notifications_and_count_on(keeping: World) -> None:
    notification = await ended(keeping, prefers=Channel.WEBSOCKET)
    await keeping.store.inbox.acknowledge(TENANT, USER, [notification])
    await keeping.turn_clock(20)
    await keeping.sweep()
    await keeping.store.database.run("UPDATE notifications SET next_look_at = NULL")
    assert (await rows_of(keeping, notification)).keys() >= {"inbox", "receipts"}
    await pass_days(keeping)

    await keeping.sweep()
    later = await ended(keeping, "order-2", prefers=Channel.WEBSOCKET)

    assert await rows_of(keeping, notification) == Counter()
    assert [(item.cursor, item.notification_id) for item in await keeping.store.inbox.since(TENANT, USER, 0)] == [
        (2, later)
    ]


async def test_an_event_that_opened_a_digest_can_open_another_one_while_the_first_is_still_there(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = keep(await World(store).settle_in(HOURLY))
    (opener,) = await collected(world, "one")
    await collected(world, "two")
    await world.live_on(seconds=1900)
    monkeypatch.setattr(store.retention, "largest_set", 1)
    await pass_days(world)
    while await is_there(world, opener):
        await store.retention.go_on(DAYS)
    (digest,) = await digests_of(world)

    again = await collected(world, "one")
    await world.live_on(seconds=1900)

    assert again == [opener]
    assert await world.status_of(opener) is NotificationStatus.SENT
    assert (len(await digests_of(world)), len(world.mail.letters)) == (2, 2)
    assert str(digest) != (await world.document(opener))["digest_id"]
