"""What one run of the benchmark does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from infrastructure.bench.parcels import MAIL
from shared.statuses import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The choices of whoever runs it; `shape` goes to `carillon up` as it is."""

    notifications: int = 20_000
    connections: int = 64
    rate: float = 150
    seconds: float = 20
    intake_rate: float = 500
    intake_seconds: float = 20
    rest_seconds: float = 10
    warm_up: int = 500
    users: int = 10_000
    latency_ms: float = 0
    chunking: bool = True
    pipelining: bool = True
    swallow: int = 0
    all_channels: bool = False
    embedded: bool = False
    history: int = 0
    compare_history: bool = False
    json_file: Path | None = None
    shape: tuple[str, ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that are posted for, in turn."""
        return tuple(channel.value for channel in Channel) if self.all_channels else (MAIL,)

    @property
    def open_loop(self) -> int:
        """How many notifications the open loop posts."""
        return round(self.rate * self.seconds)

    @property
    def intake(self) -> int:
        """How many events the intake is given, and the bare route beside it."""
        return round(self.intake_rate * self.intake_seconds)

    @property
    def histories(self) -> tuple[int, ...]:
        """How many ended notifications are there before each campaign."""
        return (0, self.history) if self.compare_history else (self.history,)
