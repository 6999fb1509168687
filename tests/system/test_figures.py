"""What is counted is what happened: after a run full of failures the figures agree with the database and the API."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pika
import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.broker import topology
from shared.events import CONTENT_TYPE
from shared.statuses import OutcomeKind
from shared.store import Store
from shared.store.migrating import migrate
from tests.eventful import Eventful
from tests.system.client import Client
from tests.system.conftest import ONE_PROCESS, WAYS, running

pytestmark = [pytest.mark.slow, pytest.mark.rabbit]

Figures = Counter[tuple[str, ...]]

PER_STATUS = "SELECT status, count(*) FROM notifications GROUP BY status"
PER_ATTEMPT = """
SELECT channel, outcome, provider, count(*) FROM attempts WHERE code <> 'lease expired' GROUP BY 1, 2, 3
"""
PER_ENTRY = """
SELECT e->>'channel', count(*) FROM timeline, jsonb_array_elements(entries) e
WHERE e->>'what' = %s AND e->>'why' NOT LIKE '%%breaker%%' GROUP BY 1
"""


async def figures(carillon: Client) -> Figures:
    """Read what the process shows, by name and the values of its labels, which are in the order of their names."""
    async with carillon.http.get(f"{carillon.instance.url}/metrics") as answer:
        text = await answer.text()
    found: Figures = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name.removeprefix("carillon_"), *sample.labels.values()] = int(sample.value)
    return found


async def rows(store: Store, query: str, *values: str) -> Figures:
    """Read what the rows say, by the columns before the count."""
    found = await store.database.fetch(query, values)
    return Counter({tuple(row[:-1]): row[-1] for row in found})


def named(name: str, found: Figures) -> Figures:
    """Take what is counted under one name, and is not zero."""
    return Counter({key[1:]: count for key, count in found.items() if key[0] == name and count})


def publish_garbage(url: str) -> None:
    """Put bytes on a queue that no step can read."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    properties = pika.BasicProperties(content_type=CONTENT_TYPE)  # type: ignore[no-untyped-call]
    connection.channel().basic_publish(topology.EXCHANGE, topology.EVENTS, b"{no json", properties)
    connection.close()


async def until_kept(carillon: Client) -> None:
    """Wait for the garbage to be a dead letter."""
    async with asyncio.timeout(60):
        while "garbage" not in [one["kind"] for one in await letters(carillon)]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


async def letters(carillon: Client) -> list[dict[str, str]]:
    """List the dead letters as a client sees them."""
    found: list[dict[str, str]] = (await carillon.get("/dead-letters"))["dead_letters"]
    return found


async def listed(carillon: Client, status: str) -> int:
    """Count the notifications of a status as a client sees them."""
    return len((await carillon.get(f"/api/v1/notifications?status={status}&limit=100"))["notifications"])


@pytest.fixture
async def store(real_settings: dict[str, str]) -> AsyncIterator[Store]:
    """Look into the database beside the process."""
    await migrate(real_settings["DATABASE_URL"])
    opened = Store(real_settings["DATABASE_URL"])
    await opened.open()
    yield opened
    await opened.close()


async def test_the_figures_agree_with_the_database_and_the_api(store: Store, real_settings: dict[str, str]) -> None:
    async with running(WAYS[ONE_PROCESS](real_settings)) as carillon:
        await asyncio.to_thread(publish_garbage, real_settings["AMQP_URL"])
        await Eventful(carillon).live()
        await until_kept(carillon)

        found = await figures(carillon)
        statuses = await rows(store, PER_STATUS)

        await check_ends(found, statuses, carillon)
        await check_attempts(found, store)
        await check_dead_letters(found, store, carillon)
        assert found["requests_total", "202", "ingest"] == statuses.total()
        assert found["breaker_tenants", "sms", "twilio-sms", "open"] == 1
        assert found["backlog_limit",] == 100_000


async def check_ends(found: Figures, statuses: Figures, carillon: Client) -> None:
    """Compare what was accepted, and how it ended."""
    assert found["notifications_accepted_total",] == statuses.total() > 30
    for status in ("failed", "unknown", "skipped", "delivered"):
        in_all = await listed(carillon, status)
        assert found["notifications_ended_total", status] == statuses[status,] == in_all > 0, status
    # What was delivered had been sent before, unless the far side was quicker than we were.
    sent = found["notifications_ended_total", "sent"]
    assert statuses["sent",] <= sent <= statuses["sent",] + statuses["delivered",]
    assert all(found["service_level_total", result] > 0 for result in ("in_time", "gave_up", "refused", "unknown"))
    ends = sum(statuses[status,] for status in ("sent", "delivered", "failed", "unknown"))
    assert named("service_level_total", found).total() == ends
    assert named("accepted_to_delivered_seconds_count", found) == {("websocket",): statuses["delivered",]}


async def check_attempts(found: Figures, store: Store) -> None:
    """Compare what came of the calls."""
    attempts = await rows(store, PER_ATTEMPT)
    assert named("delivery_attempts_total", found) == attempts
    assert {outcome for _, outcome, _ in attempts} == set(OutcomeKind)
    doubtful = await rows(store, "SELECT channel, count(*) FROM attempts WHERE ambiguous GROUP BY 1")
    assert named("delivery_ambiguous_total", found) == doubtful
    assert named("delivery_retries_total", found) == await rows(store, PER_ENTRY, "retrying")
    deferred = await rows(store, PER_ENTRY, "deferred")
    assert found["delivery_deferrals_total", "sms", "throttled"] == deferred["sms",] > 0
    sent: Figures = Counter()
    for (channel, outcome, _), count in attempts.items():
        sent[(channel,)] += count * (outcome == OutcomeKind.ACCEPTED)
    assert named("accepted_to_sent_seconds_count", found) == sent


async def check_dead_letters(found: Figures, store: Store, carillon: Client) -> None:
    """Compare what needs a person."""
    buried = await rows(store, "SELECT kind, count(*) FROM dead_letters GROUP BY 1")
    assert named("dead_letters_total", found) == buried == Counter((one["kind"],) for one in await letters(carillon))
    assert {kind for (kind,) in buried} == {"notification", "unknown", "garbage"}
