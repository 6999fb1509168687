"""Every picture has something to show: each panel's query, asked of a real Prometheus that watched a real run."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio

from infrastructure.grafana.generate import FOLDER, ROOT
from infrastructure.local.private_instance import private_instance
from infrastructure.local.rabbitmq import PrivateNode
from tests.eventful import Eventful
from tests.postgres import PostgresForTests
from tests.prometheus_server import PrometheusForTests
from tests.system.client import Client
from tests.system.conftest import ONE_PROCESS, WAYS, emptied

pytestmark = [pytest.mark.slow, pytest.mark.rabbit, pytest.mark.prometheus]

CHOSEN = {
    "$__rate_interval": "30s",
    "$__range": "5m",
    "$function": "orchestrate",
    "$instance": ".*",
}
"""What a reader has chosen, and what Grafana puts in for the time that is shown."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One query of one panel."""

    dashboard: str
    panel: str
    query: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel}"


def asked() -> Iterator[Asked]:
    """List the queries of all dashboards, as Grafana sends them."""
    for path in sorted((ROOT / FOLDER / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                query = target["expr"]
                for name, value in CHOSEN.items():
                    query = query.replace(name, value)
                yield Asked(path.stem, panel["title"], query)


def values(found: list[dict[str, Any]]) -> list[float]:
    """Take the numbers out of an answer; a quantile of nothing is none."""
    return [value for one in found if not math.isnan(value := float(one["value"][1]))]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(node: PrivateNode, postgres: PostgresForTests) -> AsyncIterator[PrometheusForTests]:
    """Live through a run, with a client that stays connected, while Prometheus looks on."""
    way = WAYS[ONE_PROCESS](await emptied(node, postgres))
    async with AsyncExitStack() as stack:
        instance = await stack.enter_async_context(private_instance(*way.options, **way.settings))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        prometheus = PrometheusForTests({"carillon": urlsplit(instance.url).netloc})
        stack.callback(prometheus.discard)
        await asyncio.to_thread(prometheus.start)
        await until(partial(has_looked_twice, prometheus))
        carillon = await Client(instance, http).settle_in()
        await stack.enter_async_context(carillon.socket())
        await Eventful(carillon).live(rounds=4)
        await until(partial(has_seen_it_all, prometheus))
        yield prometheus


async def until(claim: Callable[[], bool]) -> None:
    """Wait until Prometheus says so."""
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(claim):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.5)


def has_looked_twice(prometheus: PrometheusForTests) -> bool:
    """Tell whether it knows how things were before anything happened."""
    return bool(values(prometheus.ask("count_over_time(carillon_backlog_limit[1m]) >= 2")))


def has_seen_it_all(prometheus: PrometheusForTests) -> bool:
    """Tell whether the last thing that happened, and what is worked out of it, has been scraped."""
    told = values(prometheus.ask('ALERTS{alertname="CarillonBreakerOpen", provider="twilio-sms"}'))
    level = values(prometheus.ask("carillon:service_level_misses:ratio_rate3d"))
    postponed = values(prometheus.ask("sum(increase(carillon_delivery_postponed_total[5m]))"))
    return bool(told and level and postponed and postponed[0] > 0)


@pytest.mark.parametrize("one", list(asked()), ids=str)
def test_a_panel_has_something_to_show(watched: PrometheusForTests, one: Asked) -> None:
    assert values(watched.ask(one.query)), one.query


@pytest.mark.parametrize(
    "query",
    [
        "sum(carillon_websocket_connections)",
        "max(carillon_dead_letters_open)",
        "max(carillon_backlog)",
        "max(carillon_saga_oldest_seconds)",
        "sum(increase(carillon_delivery_retries_total[5m]))",
        "sum(increase(carillon_delivery_ambiguous_total[5m]))",
        'sum(increase(carillon_delivery_deferrals_total{why="throttled"}[5m]))',
        "sum(increase(carillon_delivery_postponed_total[5m]))",
        'sum(increase(carillon_step_events_total{step="compensate"}[5m]))',
        'sum(increase(carillon_service_level_total{result="gave_up"}[5m]))',
        "carillon:service_level_misses:increase1h",
    ],
)
def test_what_has_happened_is_more_than_nothing(watched: PrometheusForTests, query: str) -> None:
    assert values(watched.ask(query))[0] > 0


def test_every_rule_of_the_installation_is_evaluated_without_an_error(watched: PrometheusForTests) -> None:
    rules = watched.rules()

    assert len(rules) > 20
    assert set(rules.values()) == {"ok"}


def test_what_the_run_broke_is_about_to_be_told(watched: PrometheusForTests) -> None:
    waiting = {one["metric"]["alertname"] for one in watched.ask("ALERTS")}

    assert {"CarillonDeadLetters", "CarillonBreakerOpen"} <= waiting
    assert not waiting & {"CarillonNoProgress", "CarillonSweepSilent", "CarillonUnwatched", "CarillonSagasStuck"}
