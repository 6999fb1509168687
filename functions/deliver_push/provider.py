"""Send push messages to all devices of a person, and tell honestly what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from functions.deliver_push.several_devices import combine
from shared.http_call import Http
from shared.outcomes import Device, Letter, Outcome
from shared.statuses import OutcomeKind, PushService

BOTH = "push"


class Service(Protocol):
    """One service that carries messages to devices."""

    async def push(self, letter: Letter, device: Device, until: float) -> Outcome:
        """Make one attempt for one device, until that time on the loop's clock."""

    async def close(self) -> None:
        """Break off what runs beside the calls."""


class PushProvider:
    """One or both services, as one provider: docs/decisions/0013."""

    calls_at_once = 100

    def __init__(
        self,
        services: Mapping[PushService, Service],
        used: Callable[[str], frozenset[PushService]],
        http: Http,
        *,
        deadline_seconds: float = 15,
    ) -> None:
        """Connect to nothing yet. `used` tells whose devices the messages of a tenant reach."""
        self.name: str = next(iter(services)) if len(services) == 1 else BOTH
        self.deadline_seconds: float = deadline_seconds
        self._services = services
        self._used = used
        self._http = http

    async def send(self, letter: Letter) -> Outcome:
        """Make one attempt for each device at the same time, all within one deadline."""
        until = asyncio.get_running_loop().time() + self.deadline_seconds
        names = self._used(letter.tenant)
        calls = [
            self._services[name].push(letter, device, until)
            for device in letter.devices
            if (name := _service(device)) in names and name in self._services
        ]
        if not calls:
            return Outcome(
                kind=OutcomeKind.PERMANENT,
                code="no device",
                reason="the user has no device that a push message can reach",
                provider=self.name,
            )
        return combine(await asyncio.gather(*calls))

    async def close(self) -> None:
        """Let go of connections."""
        for service in self._services.values():
            await service.close()
        await self._http.close()


def _service(device: Device) -> PushService:
    return PushService(device.provider)
