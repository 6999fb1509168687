"""The lines of a channel: its providers, each with what this process holds for it."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol, TypeVar
from uuid import UUID

from shared.errors import SettingMissing, Transient
from shared.outcomes import Line, Outcome, Provider
from shared.step.breaking import Gatekeeper
from shared.step.health import Health
from shared.step.window import Window
from shared.store.breakers import Breakers
from shared.store.claims import LEASE_SECONDS

FEWEST_CALLS = 40

log = logging.getLogger(__name__)


class OpenLine:
    """One line: its provider, the breaker before it, the room for its calls, and how it has been doing."""

    def __init__(self, line: Line, breakers: Breakers) -> None:
        self.provider, self.weight = line.provider, line.weight
        self.name = line.provider.name
        self.gate = Gatekeeper(breakers, self.name)
        self.window = Window(
            FEWEST_CALLS, line.provider.calls_at_once, short_seconds=LEASE_SECONDS / 12, long_seconds=LEASE_SECONDS / 6
        )
        self.health = Health(asyncio.get_running_loop().time)

    async def tell_breaker(self, ended: Sequence[tuple[str, Outcome]], probe: UUID | None) -> None:
        """Tell the breaker what came of calls that ended together, by tenant. It is a courtesy, and may not fail."""
        failing: set[str] = set()
        try:
            for tenant, outcome in ended:
                if outcome.provider_at_fault and tenant in failing:
                    continue  # what ends together ends by one failure, such as a cut, however many letters it hit
                failing = failing | {tenant} if outcome.provider_at_fault else failing - {tenant}
                if self.gate.wants_to_hear(tenant, outcome, probe):
                    await self.gate.note(tenant, outcome, probe)
        except Transient:  # the outcome must be recorded all the same
            log.warning("the breaker could not be told", extra={"provider": self.name})


def open_lines(found: Provider | Sequence[Line], breakers: Breakers) -> tuple[OpenLine, ...]:
    """Open the lines of a channel, or the one of its lone provider.

    Raises:
        SettingMissing: there is none, or two have one name: breakers and figures could not tell them apart.
    """
    lines = found if isinstance(found, Sequence) else [Line(provider=found)]
    names = [line.provider.name for line in lines]
    if not names or len(set(names)) < len(names) or any(line.weight < 1 for line in lines):
        raise SettingMissing(f"the providers of a channel need names of their own, and weights from 1: {names}")
    return tuple(OpenLine(line, breakers) for line in lines)


class Weighed(Protocol):
    """What has a share by its name."""

    @property
    def name(self) -> str:
        """Its name, of which there is one."""

    @property
    def weight(self) -> int:
        """Its share next to the others."""


AnyLine = TypeVar("AnyLine", bound=Weighed)


def in_order(notification: UUID, lines: Sequence[AnyLine]) -> Sequence[AnyLine]:
    """Order the lines for a notification: always the same, and over many each is first by its weight.

    Each line draws a number for the notification, and the lowest goes first (weighted rendezvous hashing): where a
    line is added or removed, only its own share moves.
    """
    if len(lines) == 1:
        return lines
    return sorted(lines, key=lambda line: -math.log(draw(notification, line.name)) / line.weight)


def draw(notification: UUID, about: str) -> float:
    """Draw a number above 0, up to 1, that is the same whenever it is asked for."""
    digest = blake2b(notification.bytes + about.encode(), digest_size=8).digest()
    return (int.from_bytes(digest) + 1) / 2**64
