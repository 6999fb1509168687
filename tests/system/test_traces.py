"""One trace from the POST to the provider, over every hop, in three ways of running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from infrastructure.local.rabbitmq import PrivateNode
from tests.otlp_receiver import Collector, Seen, collector
from tests.postgres import PostgresForTests
from tests.system.client import Client
from tests.system.conftest import EMBEDDED, ONE_PROCESS, PROCESSES, WAYS, emptied, running

pytestmark = pytest.mark.slow

CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{CALLER[0]}-{CALLER[1]}-01"
UNSEEN = "00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
MARK = "nobody may read this in a trace"


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[EMBEDDED, *(pytest.param(name, marks=pytest.mark.rabbit) for name in (ONE_PROCESS, PROCESSES))],
)
async def traced(request: pytest.FixtureRequest, postgres: PostgresForTests) -> AsyncIterator[tuple[Client, Collector]]:
    """Run it with a collector beside it."""
    settings: dict[str, str] = {}
    if request.param != EMBEDDED:
        node: PrivateNode = request.getfixturevalue("node")
        settings = await emptied(node, postgres) | {"CHANNELS": "email"}  # no other is written to: no process for it
    async with collector() as found:
        way = WAYS[request.param](settings)
        otel = {"OTEL_EXPORTER_OTLP_ENDPOINT": found.url, "OTEL_EXPORTER_OTLP_HEADERS": "x-collector-key=open sesame"}
        async with running(replace(way, settings={**way.settings, **otel})) as carillon:
            await carillon.put("/workflows/by_mail", {"channels": ["email"], "retry_seconds": [0.5]})
            await carillon.put("/users/refused", {"name": MARK, "email": "refused@example.test"})
            yield carillon, found


async def post(carillon: Client, user: str, **headers: str) -> str:
    """POST an event; return the id of its notification."""
    event = {"event_type": "by_mail", "user_id": user, "data": {"message": MARK}}
    async with carillon.http.post(f"{carillon.instance.url}/events", json=event, headers=headers) as answer:
        assert answer.status == 202, await answer.text()
        return str((await answer.json())["id"])


def named(spans: list[Seen], name: str) -> list[Seen]:
    return [span for span in spans if span.name == name]


@pytest.mark.asyncio(loop_scope="module")
async def test_one_trace_goes_on_from_the_caller_over_every_hop_to_the_provider(
    traced: tuple[Client, Collector],
) -> None:
    carillon, found = traced

    key = await post(carillon, "refused", traceparent=TRACEPARENT)
    await carillon.until(key, "failed")
    spans = await found.until(CALLER[0], "POST", "orchestrate", "deliver-email", "call smtp", "compensate")

    (root,) = named(spans, "POST")
    assert root.parent == CALLER[1]
    hops = [span for span in spans if span.name in {"orchestrate", "deliver-email", "compensate"}]
    assert {span.parent for span in hops} == {root.span}
    assert len(named(hops, "orchestrate")) == 2
    (attempt,), (call,) = named(spans, "deliver-email"), named(spans, "call smtp")
    assert call.parent == attempt.span
    assert (call.about["carillon.outcome"], call.about["carillon.channel"]) == ("permanent", "email")
    assert {span.about["carillon.notification_id"] for span in spans} == {key}


@pytest.mark.asyncio(loop_scope="module")
async def test_without_a_caller_a_trace_begins_with_the_post(traced: tuple[Client, Collector]) -> None:
    carillon, found = traced

    key = await post(carillon, carillon.user)
    await carillon.until(key, "sent")

    trace = await trace_of(found, key)
    spans = await found.until(trace, "POST", "orchestrate", "deliver-email", "call smtp")
    assert [span.parent for span in named(spans, "POST")] == [""]


@pytest.mark.asyncio(loop_scope="module")
async def test_what_its_caller_does_not_sample_is_not_seen(traced: tuple[Client, Collector]) -> None:
    carillon, found = traced

    await carillon.until(await post(carillon, carillon.user, traceparent=UNSEEN), "sent")
    later = await post(carillon, carillon.user)
    await carillon.until(later, "sent")
    await found.until(await trace_of(found, later), "call smtp")

    assert found.of(UNSEEN.split("-")[1]) == []


@pytest.mark.asyncio(loop_scope="module")
async def test_a_trace_carries_ids_and_nobodys_data(traced: tuple[Client, Collector]) -> None:
    _, found = traced
    said = [value for span in found.spans for value in (span.name, *span.about.values())]

    assert said
    assert not [value for value in said if MARK in value or "@" in value]
    assert set(found.shown) == {"open sesame"}


async def trace_of(found: Collector, key: str) -> str:
    """Wait for the POST of a notification, and name its trace."""
    async with asyncio.timeout(30):
        while True:
            for span in found.spans:
                if span.name == "POST" and span.about.get("carillon.notification_id") == key:
                    return span.trace
            await asyncio.sleep(0.1)
