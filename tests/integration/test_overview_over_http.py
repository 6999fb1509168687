"""How it is going, as a console asks for it; and that asking costs the same whatever there has been."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from shared import serve
from shared.outcomes import Outcome
from shared.saga import due_now, owed
from shared.serve import App
from shared.statuses import Channel, OutcomeKind
from shared.store import Store
from shared.store.overview import LIMITS, SETTINGS, STATEMENTS
from tests.asgi import call, resources
from tests.fakes import ScriptedProvider
from tests.world import TENANT, World, claims_of, first_command

NO_BOX = Outcome(kind=OutcomeKind.PERMANENT, code="550", reason="no such box", provider="scripted")
BUSY = Outcome(kind=OutcomeKind.TRANSIENT, code="451", reason="busy", provider="scripted")


async def overview(world: World, **settings: Any) -> dict[str, Any]:
    """Ask a console that has just started."""
    app: App = serve.build("console", resources(world.store, **settings) if settings else world.resources)
    answer = await call(app, "GET", "/overview", headers={"x-api-key": "key"})
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store"), answer.body
    document: dict[str, Any] = answer.document
    return document


def tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).isoformat()


def summed(document: dict[str, Any], name: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for minute in document["minutes"]:
        for channel, counts in minute["channels"].items():
            found[channel] = found.get(channel, 0) + counts[name]
    return {channel: count for channel, count in found.items() if count}


async def test_the_last_half_hour_is_told_minute_by_minute(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(NO_BOX)).settle_in({"channels": ["email"]})
    await world.post("order-1")
    await world.deliver_everything()
    sent = await world.post("order-2")
    await world.deliver_everything()
    await world.store.database.run(
        """INSERT INTO receipts (notification_id, channel, epoch, receipt, tenant)
        VALUES (%s, 'email', 0, 'delivered', %s), (%s, 'email', 0, 'failed', %s), (%s, 'email', 0, 'read', %s)""",
        (sent, TENANT) * 3,
    )

    document = await overview(world)

    minutes = document["minutes"]
    assert len(minutes) == 30
    moments = [datetime.fromisoformat(one["at"]) for one in minutes]
    assert {(later - earlier).total_seconds() for earlier, later in pairwise(moments)} == {60.0}
    assert 0 <= (datetime.fromisoformat(document["at"]) - moments[-1]).total_seconds() < 60
    assert sum(one["accepted"] for one in minutes) == 2
    assert sum(one["failed"] for one in minutes) == 1
    assert [summed(document, name) for name in ("sent", "delivered", "failed")] == [
        {"email": 1},
        {"email": 1},
        {"email": 2},
    ]
    assert document["dead_letters"] == {"open": 1}
    assert (document["in_flight"], document["oldest"], document["stuck"]) == ({"total": 0, "by_status": {}}, None, [])


async def test_what_is_older_than_half_an_hour_is_not_told(world: World) -> None:
    await world.post("order-1")
    await world.deliver_everything()
    await world.store.database.run("UPDATE notifications SET created_at = created_at - interval '30 minutes'")
    await world.store.database.run("UPDATE attempts SET ended_at = ended_at - interval '30 minutes'")

    document = await overview(world)

    assert sum(one["accepted"] for one in document["minutes"]) == 0
    assert summed(document, "sent") == {}


async def test_what_is_under_way_is_counted_and_the_oldest_is_named(world: World) -> None:
    oldest = await world.post_routed("order-1")
    await world.store.database.run("UPDATE notifications SET created_at = created_at - interval '70 seconds'")
    await world.post("order-2")
    await world.post("order-3", send_at=tomorrow())

    document = await overview(world)

    assert document["in_flight"] == {"total": 3, "by_status": {"pending": 1, "queued": 1, "scheduled": 1}}
    told = document["oldest"]
    assert (told["id"], told["status"]) == (str(oldest), "queued")
    assert told["age_seconds"] >= 70


async def test_a_provider_is_told_with_its_breaker_and_its_outcomes(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(BUSY)).settle_in({"channels": ["email"]})
    await world.post()
    await world.live_on()
    for _ in range(5):
        await store.breakers.fail(TENANT, "scripted", None)

    (email, _) = (await overview(world))["channels"]

    (scripted,) = email["providers"]
    assert (email["channel"], scripted["provider"], scripted["state"]) == ("email", "scripted", "open")
    assert (scripted["failures"], scripted["outcomes"]["accepted"], scripted["outcomes"]["transient"]) == (5, 1, 1)
    assert datetime.fromisoformat(scripted["until"]) > datetime.now(UTC)


async def test_another_tenant_is_told_nothing_of_ours(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(NO_BOX)).settle_in({"channels": ["email"]})
    await world.post("order-1")
    await world.deliver_everything()
    await world.post("order-2")
    await store.breakers.fail(TENANT, "scripted", None)
    await make_old(world)

    document = await overview(world, api_keys="globex:key", channels="email,websocket")

    assert sum(one["accepted"] + one["failed"] for one in document["minutes"]) == 0
    assert document["in_flight"]["total"] == document["dead_letters"]["open"] == 0
    assert (document["oldest"], document["stuck"]) == (None, [])
    assert {p["provider"] for one in document["channels"] for p in one["providers"]} == {"inbox"}


_AGE = (
    "UPDATE notifications SET created_at = created_at - %(by)s, updated_at = updated_at - %(by)s",
    """UPDATE deliveries SET updated_at = updated_at - %(by)s, due_at = due_at - %(by)s,
       lease_until = lease_until - %(by)s, deadline = deadline - %(by)s""",
)


async def make_old(world: World, seconds: float = 200) -> None:
    """Let time pass in which nobody does anything."""
    for statement in _AGE:
        await world.store.database.run(statement.replace("%(by)s", f"interval '{seconds} seconds'"))


async def stuck(world: World) -> set[str]:
    return {one["id"] for one in (await overview(world))["stuck"]}


async def some_of_each_state(store: Store) -> tuple[World, dict[str, UUID]]:
    """Bring a saga into every state in which something may be owed."""
    workflow = {"channels": ["websocket", "email"], "unless_delivered_within_seconds": {"websocket": 60}}
    world = await World(store, email=ScriptedProvider(BUSY, NO_BOX)).settle_in(workflow)
    found = {name: await world.post(name) for name in ("unacknowledged", "waits for an acknowledgement")}
    await world.deliver_everything()
    await world.store.directory.put_workflow(TENANT, "*", {"channels": ["email"]})
    found["retrying"] = await world.post("retrying")
    await world.deliver_everything()
    found["compensating"] = await world.post("compensating")
    for _ in range(3):
        await world.deliver_next()
    for name in ("claimed", "lease is over", "queued", "deferred"):
        found[name] = await world.post_routed(name)
    for name in ("claimed", "lease is over"):
        claims_of(await store.claims.claim(Channel.EMAIL, [first_command(found[name])]))
    found["pending"] = await world.post("pending")
    found["scheduled"] = await world.post("scheduled", send_at=tomorrow())
    return world, found


async def test_stuck_is_what_is_owed_a_step_for_two_minutes(store: Store) -> None:
    world, keys = await some_of_each_state(store)
    fresh = await stuck(world)
    await make_old(world)
    later = "clock_timestamp() + interval '30 seconds'"
    for name, change in {
        "claimed": f"lease_until = {later}",
        "deferred": f"status = 'deferred', due_at = {later}",
        "waits for an acknowledgement": f"deadline = {later}",
    }.items():
        await store.database.run(f"UPDATE deliveries SET {change} WHERE notification_id = %s", (keys[name],))

    document = await overview(world)

    async with store.sagas.transaction() as sagas:
        locked = await sagas.lock(keys.values())
        owing = {key for key, change in locked.items() if due_now(owed(change.before, sagas.now), sagas.now)}
    told = {UUID(one["id"]) for one in document["stuck"]}
    names = {name for name, key in keys.items() if key in told}
    assert fresh == set()
    assert told == owing
    assert names == keys.keys() - {"claimed", "deferred", "scheduled", "waits for an acknowledgement"}
    assert all(one["waiting_seconds"] >= 120 and one["user_id"] == "1" for one in document["stuck"])


async def test_of_what_is_stuck_the_oldest_are_told(world: World) -> None:
    for number in range(22):
        await world.post(f"order-{number}")
    await make_old(world)

    told = (await overview(world))["stuck"]

    assert len(told) == 20
    assert [one["created_at"] for one in told] == sorted(one["created_at"] for one in told)


ENDED = 200_000
_HISTORY = (
    """INSERT INTO notifications (id, tenant, user_id, event_type, source, body_hash, data, status, created_at,
                                  updated_at, expires_at)
       SELECT lpad(to_hex(i), 32, '0')::uuid, 'default', i::text, 'order', 'shop', '', '{}', 'sent', at, at, at
       FROM (SELECT i, clock_timestamp() - (%(n)s - i) * interval '1 second' AS at
             FROM generate_series(1, %(n)s) AS g(i)) t""",
    """INSERT INTO deliveries (notification_id, channel, tenant, status, position, epoch, content, updated_at)
       SELECT id, 'email', tenant, 'sent', 0, 0, '{}', created_at FROM notifications""",
    """INSERT INTO attempts (notification_id, token, tenant, channel, epoch, attempt, outcome, ambiguous, provider,
                             started_at, ended_at)
       SELECT id, id, tenant, 'email', 0, 1, 'accepted', false, 'smtp', created_at, created_at FROM notifications
       ORDER BY created_at""",
    """INSERT INTO receipts (notification_id, channel, epoch, receipt, tenant, created_at)
       SELECT id, 'email', 0, 'delivered', tenant, created_at FROM notifications ORDER BY created_at""",
    """INSERT INTO dead_letters (id, tenant, kind, status, notification_id, reason, created_at)
       SELECT id, tenant, 'notification', 'resolved', id, 'busy', created_at FROM notifications
       ORDER BY created_at LIMIT 20000""",
)


@pytest.mark.slow
async def test_no_statement_of_an_overview_reads_what_has_ended(world: World) -> None:
    database = world.store.database
    for statement in _HISTORY:
        await database.run(statement, {"n": ENDED})
    await database.run("VACUUM ANALYZE")
    await world.post("order-1")
    values = {"tenant": TENANT, "since": datetime.now(UTC).replace(second=0), **LIMITS}

    plans = {}
    async with database.transaction() as connection:
        for setting in SETTINGS:
            await connection.execute(setting)
        for name, statement in STATEMENTS.items():
            explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
            (row,) = await (await connection.execute(explain, values)).fetchall()
            plans[name] = row[0][0]["Plan"] if isinstance(row[0], list) else json.loads(row[0])[0]["Plan"]

    scans = {name: list(scans_of(plan)) for name, plan in plans.items()}
    assert {name for name, found in scans.items() if not found} == set()
    assert [(name, one["Node Type"]) for name, found in scans.items() for one in found if is_blind(one)] == []
    read = {name: max(rows_of(one) for one in found) for name, found in scans.items()}
    assert {name: rows for name, rows in read.items() if rows > ENDED / 20} == {}
    document = await overview(world)
    assert document["in_flight"]["total"] == 1
    assert summed(document, "sent")["email"] > 0


def scans_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """List where a plan touches a table."""
    if "Relation Name" in plan:
        yield plan
    for part in plan.get("Plans", ()):
        yield from scans_of(part)


def rows_of(scan: dict[str, Any]) -> float:
    """Count what it touches: what it finds, and what it looks at in vain."""
    return float(scan["Actual Rows"]) + float(scan.get("Rows Removed by Index Recheck", 0))


def is_blind(scan: dict[str, Any]) -> bool:
    """Tell whether it goes through a table, or a whole index, instead of finding its way."""
    return scan["Node Type"] == "Seq Scan" or not {"Index Cond", "Recheck Cond"} & scan.keys()
