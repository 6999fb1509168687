"""What a provider adapter returns for one attempt, and the door that every adapter is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from shared.quick import quick
from shared.statuses import Channel, OutcomeKind

DEFAULT_CATEGORY = "general"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device of a person, as it was registered with a provider of push messages."""

    provider: str
    token: str = field(repr=False)
    registered_at: datetime
    platform: str = ""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one call.

    `code` is the provider's own word for it ("smtp 451 4.7.1", "timeout"); `reason` a sentence without an address,
    a number or a body. `retry_after_seconds` is what the provider asked for. `provider_at_fault` counts against the
    breaker: timeouts, connections, 5xx, authentication; never a bad recipient, never a throttle. `suppress` says that
    the address itself is dead, `dead_devices` which of several are, `moved_to` that it has become another one.
    `choice` says why it went to this provider, if another one comes first; the frame writes it.
    """

    kind: OutcomeKind
    code: str
    reason: str = ""
    provider: str = ""
    provider_message_id: str | None = None
    retry_after_seconds: float | None = None
    provider_at_fault: bool = False
    suppress: bool = False
    dead_devices: tuple[Device, ...] = ()
    moved_to: str | None = field(default=None, repr=False)
    choice: str = ""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message for one person on one channel, as the claim hands it to the adapter.

    `idempotency_key` is the same for every attempt of one delivery: a provider's key, a dedupe id.
    `category` is what the person can refuse. `options` are those of the channel (`shared/options.py`), `devices` where
    a push goes instead of an address.
    `in_doubt_for_seconds` is the age of an earlier attempt that the provider may have taken: look there before sending.
    """

    notification_id: UUID
    tenant: str
    user_id: str
    channel: Channel
    address: str = field(repr=False)
    devices: tuple[Device, ...] = field(default=(), repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str | None = field(default=None, repr=False)
    idempotency_key: UUID
    attempt: int = 1
    epoch: int = 0
    event_type: str = ""
    category: str = DEFAULT_CATEGORY
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    expires_in_seconds: float = 86_400.0
    collapse_key: str | None = None
    in_doubt_for_seconds: float | None = None


class Provider(Protocol):
    """One provider of one channel. It keeps its own connections, and no state that a restart would miss."""

    name: str
    deadline_seconds: float  # every call ends within it, waiting for a connection included
    calls_at_once: int  # no more claims are taken than so many; what waits, waits unclaimed

    async def send(self, letter: Letter) -> Outcome:
        """Make one attempt. Return every answer of the world as an outcome; raise nothing but a bug."""

    async def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One of several providers of a channel, and its share of what is sent there."""

    provider: Provider
    weight: int = 1


Tell = Callable[[Sequence[tuple[int, Outcome | None]]], None]
"""Hears what has ended, as often as something has: the places of the letters, and what came of each. None says that
nothing was begun, for want of a connection or of time.
"""


@runtime_checkable
class SetProvider(Provider, Protocol):
    """A provider that carries many letters at once better than one by one."""

    async def send_set(self, letters: Sequence[Letter], tell: Tell) -> None:
        """Make one attempt for each letter; return when each has been told.

        All within `deadline_seconds` of the call. After it nothing is begun, even if this process slept meanwhile.
        """
