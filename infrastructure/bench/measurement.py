"""One measurement: what was posted, what came of it, and what it cost."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from urllib.parse import urlsplit

from infrastructure.bench import components, machine, processes, scraping, set_sizes
from infrastructure.bench.child import Child, child
from infrastructure.bench.components import PARTS, RUNTIME, Reading, Usage
from infrastructure.bench.database import count_sent
from infrastructure.bench.load import Order
from infrastructure.bench.matching import Answers, Mail, Tally, match
from infrastructure.bench.options import Options
from infrastructure.bench.percentiles import Percentiles, percentiles
from infrastructure.bench.processes import Memory
from infrastructure.bench.set_sizes import Sums
from infrastructure.bench.settling import settle
from infrastructure.bench.stage import Stage

LOAD = "infrastructure.bench.load"
LONGEST_LOAD_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What came of what was posted; `seconds` is from the first POST to the last row recorded.

    `answers` counts the HTTP statuses; 0 is a connection that was cut. Where nothing was to be sent, `lost` and
    `unsent` are None.
    """

    posted: int
    accepted: int
    refused: int
    answers: dict[int, int]
    seconds: float
    per_second: float
    post_ms: Percentiles | None
    mail_ms: Percentiles | None
    late_ms: Percentiles | None
    lost: int | None
    duplicates: int
    unsent: int | None
    misdirected: int
    strays: int

    @property
    def is_whole(self) -> bool:
        """Whether something was accepted, and all of that was sent and arrived."""
        return self.accepted > 0 and not self.lost and not self.unsent


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one measurement found."""

    traffic: Traffic | None
    usage: Usage
    cpu_ms_each: dict[str, float]
    memory: dict[str, Memory]
    set_sizes: dict[str, float]
    spin_ms: tuple[float, float]


class Meter:
    """What is read before and after, in an order in which no look disturbs what another one measures."""

    def __init__(self, stage: Stage, more: Mapping[str, frozenset[int]] = MappingProxyType({})) -> None:
        self._stage = stage
        parts = [part for part in dict.fromkeys((*PARTS, *more)) if part in stage.roots or part in more]
        self._roots = {part: stage.roots.get(part, frozenset()) | more.get(part, frozenset()) for part in parts}
        self._runtime = processes.tree(processes.running(), stage.roots[RUNTIME])

    async def start(self) -> None:
        """Look before."""
        self._sums: Mapping[int, Sums] = await self._scrape()
        self._spin_ms = machine.spin_ms()
        self._before: Reading = components.read(self._roots)

    async def stop(self) -> Usage:
        """Look after."""
        self._usage = components.used(self._before, components.read(self._roots), processes.names(self._runtime))
        return self._usage

    async def tell(self, traffic: Traffic | None = None) -> Measurement:
        """Put together what was found."""
        spins = (self._spin_ms, machine.spin_ms())
        accepted = traffic.accepted if traffic else 0
        return Measurement(
            traffic=traffic,
            usage=self._usage,
            cpu_ms_each=_each(self._usage, accepted) if accepted else {},
            memory=components.memories(self._roots),
            set_sizes=set_sizes.averages(self._sums, await self._scrape()),
            spin_ms=spins,
        )

    async def _scrape(self) -> dict[int, Sums]:
        return await asyncio.to_thread(scraping.scrape, self._stage.url, self._runtime)


def _each(usage: Usage, accepted: int) -> dict[str, float]:
    parts = {part: round(seconds * 1000 / accepted, 3) for part, seconds in usage.cpu_seconds.items()}
    return parts | {"all": round(sum(usage.cpu_seconds.values()) * 1000 / accepted, 3)}


async def at_rest(stage: Stage, seconds: float) -> Measurement:
    """Measure what it costs to do nothing."""
    meter = Meter(stage)
    await meter.start()
    await asyncio.sleep(seconds)
    await meter.stop()
    return await meter.tell()


async def under_load(
    stage: Stage, order: Order, *, swallow: int = 0, more: Mapping[str, frozenset[int]] = MappingProxyType({})
) -> Measurement:
    """Measure a load, from its first POST until its last notification has ended; `more` are further parts."""
    async with child(LOAD, order.text()) as (load, _):
        await stage.sink.ask("forget")
        await stage.sink.ask(f"swallow {swallow}")
        meter = Meter(stage, {**more, components.BENCH: frozenset({load.pid})})
        await meter.start()
        accepted = int(await load.ask("go", LONGEST_LOAD_SECONDS))
        ended = await settle(stage.store, stage.sink, order.parcels.mails(accepted))
        await meter.stop()
        return await meter.tell(await _traffic(stage, order, load, ended))


async def unworked(stage: Stage, order: Order, more: Mapping[str, frozenset[int]]) -> Measurement:
    """Measure a load of which nothing comes but the answers."""
    async with child(LOAD, order.text()) as (load, _):
        meter = Meter(stage, {**more, components.BENCH: frozenset({load.pid})})
        await meter.start()
        await load.ask("go", LONGEST_LOAD_SECONDS)
        ended = time.monotonic()
        await meter.stop()
        answers = Answers(**json.loads(await load.ask("tell")))
        tally = match(order.parcels, answers, ())
        told = _told(answers, tally, seconds=ended - _began(answers), unsent=None)
        return await meter.tell(replace(told, lost=None))


async def _traffic(stage: Stage, order: Order, load: Child, ended: float) -> Traffic:
    answers = Answers(**json.loads(await load.ask("tell")))
    mails = [Mail(*row) for row in json.loads(await stage.sink.ask("tell"))]
    tally = match(order.parcels, answers, mails)
    ids = [key for key in answers.ids if key]
    unsent = tally.accepted - await count_sent(stage.store, ids)
    return _told(answers, tally, seconds=ended - _began(answers), unsent=unsent)


def _began(answers: Answers) -> float:
    return min((due for due in answers.due if due), default=time.monotonic())


def _told(answers: Answers, tally: Tally, *, seconds: float, unsent: int | None) -> Traffic:
    return Traffic(
        posted=len(answers.statuses),
        accepted=tally.accepted,
        refused=tally.refused,
        answers=dict(Counter(answers.statuses)),
        seconds=round(seconds, 3),
        per_second=round(tally.accepted / seconds, 1) if seconds > 0 else 0.0,
        post_ms=percentiles(tally.post_seconds),
        mail_ms=percentiles(tally.mail_seconds),
        late_ms=percentiles(tally.late_seconds),
        lost=tally.lost,
        duplicates=tally.duplicates,
        unsent=unsent,
        misdirected=tally.misdirected,
        strays=tally.strays,
    )


def order(url: str, options: Options, *, count: int, rate: float | None = None, key: str | None = None) -> Order:
    """Write the order for a load on what is up at an address."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return Order(
        host=parts.hostname,
        port=parts.port,
        run=secrets.token_hex(4),
        count=count,
        users=options.users,
        connections=options.connections,
        rate=rate,
        channels=options.channels,
        key=key,
    )
