"""What has ended is deleted when it was kept long enough, whole; what anybody still needs stays."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from functions.ingest.cancelling import cancel
from shared import serve
from shared.outcomes import Outcome
from shared.serve import App
from shared.statuses import Channel, NotificationStatus, OutcomeKind
from shared.store import Store
from shared.store.claims import Recorded
from shared.store.retention_sql import HANGING
from shared.timestamps import write_timestamp
from tests.asgi import call
from tests.fakes import ScriptedProvider
from tests.integration.retaining import DAYS, discard, ended, failed, is_there, keep, pass_days, rows_of
from tests.integration.test_digests import HOURLY, collected, digests_of
from tests.world import EMAIL, TENANT, USER, World, claims_of, doomed, first_command

ACCEPTED = Outcome(kind=OutcomeKind.ACCEPTED, code="250", provider="scripted")


@pytest.fixture
async def ingest(keeping: World) -> AsyncIterator[App]:
    app = serve.build("ingest", keeping.resources)
    yield app
    await app.drain()


async def test_what_was_kept_long_enough_is_deleted_with_everything_that_hangs_on_it(store: Store) -> None:
    world = keep(await doomed(store))
    notification, letter = await failed(world)
    await discard(world, letter)
    another = await ended(world, "order-2")
    before = await rows_of(world, notification)
    await pass_days(world)

    answer = await world.sweep()

    assert answer == 204
    assert before.keys() >= {"notifications", "deliveries", "attempts", "timeline", "dead_letters"}
    assert await rows_of(world, notification) == Counter()
    assert world.resources.metrics.registry.get_sample_value("carillon_retention_deleted_total") == 1
    assert await is_there(world, another), "its dead letter is open"


async def test_every_table_that_names_notifications_is_known_to_retention(store: Store) -> None:
    rows = await store.database.fetch(
        """SELECT table_name FROM information_schema.columns
        WHERE table_schema = 'public' AND column_name = 'notification_id'"""
    )

    assert {row[0] for row in rows} == set(HANGING)


async def test_with_nothing_said_everything_is_kept(world: World) -> None:
    notification = await ended(world)
    await pass_days(world, 3000)

    await world.sweep()

    assert await is_there(world, notification)
    assert await world.store.database.fetch("SELECT began_at FROM retention") == [(None,)]


async def test_it_is_kept_as_many_days_as_the_setting_says_from_its_end_on(keeping: World) -> None:
    long_enough = await ended(keeping, "long enough")
    await pass_days(keeping, 0.02)
    not_yet = await ended(keeping, "not yet")
    begun_long_ago = await ended(keeping, "begun long ago")
    await pass_days(keeping, DAYS - 0.01)
    await keeping.store.database.run(
        "UPDATE notifications SET created_at = created_at - interval '300 days' WHERE id = %s", (begun_long_ago,)
    )

    await keeping.sweep()

    assert [await is_there(keeping, key) for key in (long_enough, not_yet, begun_long_ago)] == [False, True, True]


async def test_what_has_not_ended_is_never_deleted_however_old_it_is(keeping: World) -> None:
    queued = await keeping.post_routed("queued")
    pending = await keeping.post("pending")
    keeping.lose_messages()
    unheard = await ended(keeping, "unheard")
    await keeping.store.database.run(
        "UPDATE notifications SET next_look_at = clock_timestamp() + interval '1 hour' WHERE id = %s", (unheard,)
    )
    await pass_days(keeping, 400)
    keys = [pending, queued, unheard]

    await keeping.sweep()

    assert [await is_there(keeping, key) for key in keys] == [True, True, True]


async def test_what_waits_for_a_person_stays_until_it_is_settled_and_can_be_replayed(store: Store) -> None:
    world = keep(await doomed(store))
    notification, letter = await failed(world)
    await pass_days(world, 400)
    await world.sweep()
    stayed = await is_there(world, notification)

    world.mail.answers.clear()
    saga = await store.dead_letters.replay(TENANT, letter, by="tests")
    await world.live_on()
    sent = await world.status_of(notification)
    await pass_days(world)
    await world.sweep()

    assert (stayed, saga is not None, sent) == (True, True, NotificationStatus.SENT)
    assert await rows_of(world, notification) == Counter()


async def test_a_success_that_no_saga_knows_of_yet_keeps_its_notification(keeping: World) -> None:
    command = first_command(await keeping.post_routed())
    (claim,) = claims_of(await keeping.store.claims.claim(EMAIL, [command]))
    assert claim.token is not None
    await keeping.store.claims.record(
        EMAIL, [Recorded(command=command, token=claim.token, tenant=TENANT, outcome=ACCEPTED, took_seconds=1)]
    )
    await keeping.store.database.run("UPDATE notifications SET status = 'skipped', next_look_at = NULL")
    await keeping.store.database.run("UPDATE attempts SET next_look_at = clock_timestamp() + interval '1 hour'")
    await pass_days(keeping)

    await keeping.sweep()

    assert await is_there(keeping, command.notification_id)


async def test_nothing_of_a_digest_that_waits_for_a_person_is_deleted(store: Store) -> None:
    world = keep(await World(store, email=ScriptedProvider(*[OutcomeKind.PERMANENT] * 5)).settle_in(HOURLY))
    members = await collected(world, "one", "two")
    await world.live_on(seconds=1900)
    (digest,) = await digests_of(world)
    (letter,) = await world.dead_letters()
    await pass_days(world)
    await world.sweep()
    kept = await rows_of(world, digest, *members)

    await discard(world, UUID(letter["id"]))
    await pass_days(world)
    await world.sweep()

    assert (kept["notifications"], kept["digests"]) == (3, 1)
    assert await rows_of(world, digest, *members) == Counter()


async def test_a_digest_goes_with_the_last_of_its_members(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    world = keep(await World(store).settle_in(HOURLY))
    first, second = await collected(world, "one"), await collected(world, "two")
    await world.live_on(seconds=1900)
    keys = [*first, *await digests_of(world), *second]
    monkeypatch.setattr(store.retention, "largest_set", 1)
    await pass_days(world)

    there = [[True, True, True]]
    while (await store.retention.go_on(DAYS)).may_go_on:
        if (now := [await is_there(world, key) for key in keys]) != there[-1]:
            there.append(now)

    assert there == [[True, True, True], [False, True, True], [False, False, False]]
    assert await rows_of(world, *keys) == Counter()


async def test_members_stay_while_their_digest_is_under_way_or_has_something_to_tell_them(store: Store) -> None:
    world = keep(await World(store).settle_in(HOURLY))
    members = await collected(world, "one", "two")
    await world.live_on(seconds=1900)
    (digest,) = await digests_of(world)
    there = []
    for table, is_due in [("notifications", True), ("digests", True), ("digests", False)]:
        await world.store.database.run("UPDATE notifications SET next_look_at = NULL")
        await world.store.database.run("UPDATE digests SET next_look_at = NULL")
        await world.store.database.run(
            f"UPDATE {table} SET next_look_at = clock_timestamp() + interval '1 hour' WHERE id = %s AND %s",
            (digest, is_due),
        )
        await pass_days(world)
        await world.sweep()
        there.append([await is_there(world, key) for key in members])

    assert there == [[True, True], [True, True], [False, False]]


async def test_what_has_replaced_an_older_one_stays_as_long_as_that_could_be_sent(keeping: World) -> None:
    in_a_year = write_timestamp(datetime.now(UTC) + timedelta(days=360))
    older = await keeping.post("older", collapse_key="parcel", send_at=in_a_year)
    newer = await ended(keeping, "newer", collapse_key="parcel")
    await pass_days(keeping)
    await keeping.sweep()
    stayed = await is_there(keeping, newer)

    await cancel(keeping.resources, TENANT, older, "tests")
    await pass_days(keeping)
    await keeping.sweep()

    assert stayed
    assert await rows_of(keeping, older, newer) == Counter()


async def test_an_event_for_many_that_is_not_expanded_yet_stays(keeping: World, ingest: App) -> None:
    body = json.dumps({"event_type": "sale", "id": "sale-1", "user_ids": ["1", "2"], "data": {"message": "Sale"}})
    answer = await call(ingest, "POST", "/events", body.encode(), {"content-type": "application/json"})
    await ingest.drain()
    await pass_days(keeping)

    await keeping.sweep()

    shown = await call(ingest, "GET", f"/events/fan-outs/{answer.document['fan_out_id']}")
    assert shown.status == 200


async def test_settled_letters_of_bytes_go_and_open_ones_stay(keeping: World) -> None:
    letters = keeping.store.dead_letters
    settled = await letters.keep_bytes("garbage", "orchestrate", "no event", b"\xff")
    opened = await letters.keep_bytes("garbage", "orchestrate", "no event", b"\xfe")
    await discard(keeping, settled.id)
    await pass_days(keeping)

    await keeping.sweep()

    assert await letters.get(TENANT, settled.id) is None
    assert await letters.get(TENANT, opened.id) is not None


async def test_that_somebody_was_forgotten_or_suppressed_is_kept(keeping: World) -> None:
    await ended(keeping)
    await keeping.store.suppressions.put(TENANT, Channel.SMS, "+15551234567", "asked for it")
    erasure = await keeping.store.erasures.ask(TENANT, USER)
    assert erasure is not None
    for _ in range(2):
        await keeping.sweep()
        await keeping.store.database.run("UPDATE erasures SET look_at = clock_timestamp() WHERE look_at IS NOT NULL")
    await pass_days(keeping)

    await keeping.sweep()

    kept = await keeping.store.erasures.get(TENANT, erasure.id)
    assert kept is not None
    assert (kept.notifications, kept.finished_at is not None) == (1, True)
    assert await keeping.store.database.fetch("SELECT count(*) FROM suppressions") == [(1,)]
    assert await keeping.store.database.fetch("SELECT count(*) FROM notifications") == [(0,)]
