"""What a scrape finds: the figures of the sweep, the breakers, and how long callers waited for a connection."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from functools import partial

from shared import serve
from shared.loop_lag import LoopLag
from shared.metrics import Metrics
from shared.store import Store
from shared.store.breakers import FAILURES_TO_OPEN
from shared.store.gauges import MANY, RECOUNT_SECONDS, STALLED_LOOKS, STUCK_LOOKS
from tests.asgi import call, resources
from tests.contract.listening import eventually
from tests.world import EMAIL, TENANT, World, first_command


def shown(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"carillon_{name}", labels)


async def test_a_scrape_shows_what_the_sweep_has_counted(world: World) -> None:
    keys = [await world.post_routed(f"order-{number}") for number in range(3)]
    for key, looks, age in zip(keys, (0, STALLED_LOOKS, STUCK_LOOKS), (10, 20, 3_600), strict=True):
        await world.store.database.run(
            "UPDATE notifications SET looks = %s, created_at = clock_timestamp() - %s * interval '1 second'"
            " WHERE id = %s",
            (looks, age, key),
        )
    await world.store.gauges.count_backlog(100)

    await world.resources.observer.look()

    metrics = world.resources.metrics
    assert shown(metrics, "backlog") == 3
    assert (shown(metrics, "sagas_stalled"), shown(metrics, "sagas_stuck")) == (2, 1)
    oldest, swept = shown(metrics, "saga_oldest_seconds"), shown(metrics, "swept_seconds_ago")
    assert oldest is not None
    assert swept is not None
    assert 3_600 <= oldest < 3_700
    assert 0 <= swept < 60


async def test_much_that_waits_is_not_counted_again_a_moment_later(store: Store) -> None:
    await store.database.run(
        "INSERT INTO fan_outs (id, tenant, event_type, body_hash, event, user_ids, total, next_look_at)"
        " VALUES (gen_random_uuid(), 'default', 'sale', '', '', '{}', %s, clock_timestamp())",
        (MANY,),
    )
    gauges, counts = store.gauges, []

    for moment in ("", "UPDATE fan_outs SET total = total + 1", "UPDATE gauges SET updated_at = updated_at - %s"):
        if moment:
            await store.database.run(moment, (timedelta(seconds=RECOUNT_SECONDS),) if "%s" in moment else ())
        await gauges.recount(100)
        counts.append(await gauges.backlog())

    assert counts == [MANY, MANY, MANY + 1]


async def test_open_dead_letters_are_counted_and_settled_ones_are_not(world: World) -> None:
    for body in (b"one", b"two"):
        await world.store.dead_letters.keep_bytes("garbage", "orchestrate", "no JSON", body)
    await world.store.database.run("UPDATE dead_letters SET status = 'discarded' WHERE body = 'one'")
    await world.sweep()

    await world.resources.observer.look()

    assert shown(world.resources.metrics, "dead_letters_open") == 1


async def test_while_nobody_has_swept_it_is_as_long_ago_as_the_process_is_old(store: Store) -> None:
    here = resources(store)
    here.observer  # noqa: B018 - a process makes it when it starts
    await asyncio.sleep(0.02)

    await here.observer.look()

    assert (shown(here.metrics, "swept_seconds_ago") or 0) >= 0.02


async def test_an_open_breaker_is_shown_until_its_time_is_over(world: World) -> None:
    metrics, breakers = world.resources.metrics, world.store.breakers
    labels = {"channel": "email", "provider": "scripted"}
    assert shown(metrics, "breaker_tenants", state="open", **labels) == 0
    for tenant in (TENANT, "acme"):
        for _ in range(FAILURES_TO_OPEN):
            await breakers.fail(tenant, "scripted", None)
    await breakers.fail("quiet", "scripted", None)  # a first failure opens nothing
    await world.store.database.run(
        "UPDATE breakers SET opened_until = clock_timestamp() - interval '1 second' WHERE tenant = 'acme'"
    )

    await world.resources.observer.look()

    states = [shown(metrics, "breaker_tenants", state=state, **labels) for state in ("open", "half_open")]
    assert states == [1, 1]


async def test_a_scrape_is_answered_though_the_database_is_away(away: Store) -> None:
    app = serve.build("ingest", resources(away))

    answer = await asyncio.wait_for(call(app, "GET", "/metrics"), 5)

    assert answer.status == 200
    assert b"carillon_backlog 0.0" in answer.body


async def test_who_waits_for_a_connection_is_seen(database_url: str) -> None:
    store = Store(database_url, pool_max=2)
    await store.open()
    here = resources(store)
    held, let_go = asyncio.Semaphore(0), asyncio.Event()

    async def hold() -> None:
        async with store.database.connection():
            held.release()
            await let_go.wait()

    holders = [asyncio.create_task(hold()) for _ in range(3)]
    await held.acquire()
    await held.acquire()
    await eventually(lambda: store.database.pressure().waiting == 1)

    await here.observer.look()
    waiting = shown(here.metrics, "database_waiting")
    let_go.set()
    await asyncio.gather(*holders)
    await here.observer.look()

    assert (waiting, shown(here.metrics, "database_waiting")) == (1, 0)
    assert (shown(here.metrics, "database_waits_total") or 0) >= 1
    assert (shown(here.metrics, "database_wait_seconds_total") or 0) > 0
    await store.close()


async def test_a_lease_that_nobody_came_back_from_is_an_ambiguous_attempt(world: World) -> None:
    key = await world.post_routed()
    await world.store.claims.claim(EMAIL, [first_command(key)])  # whoever it was is gone
    await world.let_leases_run_out()

    await world.deliver_everything()

    assert shown(world.resources.metrics, "delivery_ambiguous_total", channel="email") == 1
    assert await world.outcomes(key) == ["ambiguous", "accepted"]


async def test_requests_are_counted_by_their_answers(store: Store) -> None:
    here = resources(store)
    app = serve.build("ingest", here)

    await call(app, "POST", "/events", b"{}", {"content-type": "application/json"})
    await call(app, "GET", "/health")
    await call(app, "GET", "/nowhere")
    await app.drain()

    codes = {
        code: shown(here.metrics, "requests_total", function="ingest", code=code) for code in ("422", "200", "404")
    }
    assert codes == {"422": 1, "200": 1, "404": 1}
    assert shown(here.metrics, "request_seconds_count", function="ingest") == 3


async def test_a_loop_that_is_held_up_is_late() -> None:
    metrics = Metrics()
    lag = LoopLag(metrics.loop_lag, look_seconds=0.01)
    lag.start()

    time.sleep(0.2)  # noqa: ASYNC251 - this is what must be seen
    await eventually(partial(_has_noted, metrics))
    lag.stop()

    assert (shown(metrics, "loop_lag_seconds_sum") or 0) >= 0.15


def _has_noted(metrics: Metrics) -> bool:
    return (shown(metrics, "loop_lag_seconds_count") or 0) > 0
