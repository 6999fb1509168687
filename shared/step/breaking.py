"""The breaker before a provider: its state in Postgres, read from a cache at most a second old."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from shared.outcomes import Outcome
from shared.statuses import OutcomeKind
from shared.store.breakers import Breaker, Breakers, BreakerState

CACHE_SECONDS = 1.0
PROBE_WAIT_SECONDS = 2.0
"""How long the others wait while one probe is under way."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a call may be made now; `probe` when it is the one that tries."""

    wait_seconds: float | None = None
    probe: UUID | None = None


OPEN_GATE = Gate()


class Gatekeeper:
    """The breaker of one provider, for all tenants that this process meets."""

    def __init__(self, breakers: Breakers, provider: str) -> None:
        self._breakers = breakers
        self._provider = provider
        self._cache: dict[str, tuple[float, Breaker]] = {}
        self._failed: set[str] = set()  # tenants whose last failure no success has ended yet

    async def ask(self, tenant: str, token: UUID) -> Gate:
        """Ask whether a call may be made: yes, yes as the probe, or wait so long."""
        breaker = await self._state(tenant)
        if breaker.state is BreakerState.CLOSED:
            return OPEN_GATE
        if breaker.wait_seconds <= 0:
            is_probe = await self._breakers.try_probe(tenant, self._provider, token)
            self._cache.pop(tenant, None)  # whoever the probe is: the next to ask need not try for it again
            if is_probe:
                return Gate(probe=token)
        wait = PROBE_WAIT_SECONDS if breaker.state is BreakerState.HALF_OPEN else breaker.wait_seconds
        return Gate(wait_seconds=max(wait, PROBE_WAIT_SECONDS))

    async def shut(self, tenants: Iterable[str]) -> set[str]:
        """Find the tenants for whom a call may not simply be made."""
        return {tenant for tenant in tenants if (await self._state(tenant)).state is not BreakerState.CLOSED}

    def wants_to_hear(self, tenant: str, outcome: Outcome, probe: UUID | None) -> bool:
        """Tell whether an outcome changes anything here."""
        return outcome.provider_at_fault or probe is not None or self._is_unclean(tenant)

    async def note(self, tenant: str, outcome: Outcome, probe: UUID | None) -> None:
        """Count what came of a call. The database hears of it only on a failure, or when it is not clean."""
        if outcome.provider_at_fault:
            await self._count_failure(tenant, probe)
        elif probe is not None or (self._is_unclean(tenant) and outcome.kind is not OutcomeKind.THROTTLED):
            await self._end_failures(tenant, probe)

    async def give_up(self, tenant: str, probe: UUID) -> None:
        """Free the probe's place: there was nothing to call with."""
        await self._breakers.release(tenant, self._provider, probe)

    async def _count_failure(self, tenant: str, probe: UUID | None) -> None:
        try:
            await self._breakers.fail(tenant, self._provider, probe)
        finally:  # also when nobody knows whether it was counted
            self._failed.add(tenant)
            self._cache.pop(tenant, None)

    async def _end_failures(self, tenant: str, probe: UUID | None) -> None:
        self._failed.discard(tenant)  # first: a failure that is counted meanwhile is none that this success ends
        try:
            await self._breakers.succeed(tenant, self._provider, probe)
        except BaseException:
            self._failed.add(tenant)
            raise
        self._cache.pop(tenant, None)

    def _is_unclean(self, tenant: str) -> bool:
        """Tell whether failures may be counted: the cache alone does not know of those since it was last read."""
        cached = self._cache.get(tenant)
        return tenant in self._failed or (cached is not None and cached[1].failures > 0)

    async def _state(self, tenant: str) -> Breaker:
        now = asyncio.get_running_loop().time()
        cached = self._cache.get(tenant)
        if cached is None or now - cached[0] > CACHE_SECONDS:
            cached = (now, await self._breakers.read(tenant, self._provider))
            self._cache[tenant] = cached
        return cached[1]
