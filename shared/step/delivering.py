"""The work of a deliver step: what one channel of this process holds between its sets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shared.coalesce import Coalescer
from shared.errors import Garbage
from shared.events import Event
from shared.logs import STEP
from shared.runtime import Resources
from shared.statuses import Channel
from shared.step.answers import Conclude
from shared.step.attempting import Means
from shared.step.choosing import Choosing
from shared.step.delivery import Delivery
from shared.step.lines import OpenLine
from shared.step.recording import LARGEST_SET, Counts, Recording
from shared.step.trying import Try
from shared.store.claims import LEASE_SECONDS, Claim, Command


class Delivering:
    """The work of one channel's function. Claims that are asked for together are one statement, and so are outcomes."""

    def __init__(
        self,
        name: str,
        channel: Channel,
        lines: Sequence[OpenLine],
        resources: Resources,
        *,
        patience_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._name = name
        self._channel = channel
        self._claims = resources.store.claims
        self._size = resources.metrics.set_size.labels(name)
        self._lines = lines
        self._means = Means(
            channel=channel,
            choosing=Choosing(lines),
            claims=self._claims,
            metrics=resources.metrics,
            claiming=Coalescer[Command, Claim](self._claim, max_size=LARGEST_SET),
            recording=Recording(self._claims, channel, patience_seconds),
            counts=Counts(resources.metrics, channel, [line.name for line in lines]),
        )
        self._running: set[asyncio.Task[None]] = set()
        for line in lines:
            resources.observer.watch_line(channel, line.name)

    async def __call__(self, events: Sequence[Event], conclude: Conclude) -> None:
        """Deliver a set, each of its events as it ends; a caller who leaves does not break off a call."""
        task = asyncio.create_task(Delivery(self._means, conclude).run(self._read(events)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.shield(task)

    async def close(self) -> None:
        """Let the providers go, when every outcome is recorded."""
        if self._running:
            await asyncio.wait(self._running)
        await self._means.recording.close()
        for line in self._lines:
            await line.provider.close()

    async def _claim(self, commands: Sequence[Command]) -> Sequence[Claim | Exception]:
        STEP.set(self._name)
        self._size.observe(len(commands))
        claims = await self._claims.claim(self._channel, commands)
        self._means.counts.note_claims(claims)
        return claims

    def _read(self, events: Sequence[Event]) -> list[Try | Garbage]:
        tries: list[Try | Garbage] = []
        for place, event in enumerate(events):
            about = event.data
            if about.notification_id is None or about.channel is not self._channel:
                tries.append(Garbage("data: a command names its notification and this function's channel"))
            else:
                command = Command(about.notification_id, about.attempt, about.epoch)
                tries.append(Try(self._name, place, event, command, self._channel))
        return tries
