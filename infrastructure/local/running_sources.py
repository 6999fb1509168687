"""All sources of the manifests, started and stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from infrastructure.local.ping import PingRunner
from infrastructure.local.records import Manifests
from infrastructure.local.sources import QueueRunner
from infrastructure.local.targets import Target
from shared.broker.protocol import Broker
from shared.errors import SettingMissing


class Runner(Protocol):
    """One source, at work."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End in order."""


class Sources:
    """One runner per source. A queue that has no source keeps its messages."""

    def __init__(self, manifests: Manifests, broker: Broker, targets: Mapping[str, Target]) -> None:
        wanted = {source.service for source in manifests.queue_sources}
        wanted |= {source.service for source in manifests.ping_sources}
        if missing := sorted(wanted - targets.keys()):
            raise SettingMissing(f"no address for {', '.join(missing)}: pass --service NAME=URL")
        self._runners: list[Runner] = [
            *(QueueRunner(source, broker, targets[source.service]) for source in manifests.queue_sources),
            *(PingRunner(source, targets[source.service]) for source in manifests.ping_sources),
        ]

    async def start(self) -> None:
        """Begin to consume and to tick."""
        for runner in self._runners:
            await runner.start()

    async def stop(self) -> None:
        """Take no more, and let what is under way finish."""
        await asyncio.gather(*[runner.stop() for runner in self._runners])
