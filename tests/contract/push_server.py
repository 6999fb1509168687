"""What the push tests share: the stand-ins on a port, a provider that sends to them, letters and devices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

from functions.deliver_push.main import push
from functions.deliver_push.provider import PushProvider
from infrastructure.sandbox.behaviours import Behaviour, token_for
from infrastructure.sandbox.fcm import FCM
from infrastructure.sandbox.http import SandboxHttp
from infrastructure.sandbox.mailbox import Mailbox
from infrastructure.sandbox.onesignal import ONESIGNAL
from shared.outcomes import Device, Letter, Outcome
from shared.runtime import Resources
from shared.settings import Settings
from shared.statuses import Channel, OutcomeKind

ACCEPTED, PERMANENT, TRANSIENT = OutcomeKind.ACCEPTED, OutcomeKind.PERMANENT, OutcomeKind.TRANSIENT
THROTTLED, AMBIGUOUS = OutcomeKind.THROTTLED, OutcomeKind.AMBIGUOUS
FAULT, DEAD, NEITHER = "provider_at_fault", "dead", ""
SERVICES = ("fcm", "onesignal")

PATIENT_SECONDS = 15.0
IMPATIENT_SECONDS = 0.3


class Phones:
    """The stand-ins, and the mailbox behind them."""

    def __init__(self) -> None:
        self.mailbox = Mailbox()
        self.http = SandboxHttp(self.mailbox, (FCM, ONESIGNAL))

    def settings(self, *services: str) -> dict[str, Any]:
        """Write the settings by which one or both are used."""
        said = {"fcm": FCM.settings, "onesignal": ONESIGNAL.settings}
        return {name: value for service in services or SERVICES for name, value in said[service](self.http.url).items()}

    def calls(self, service: str, token: str) -> int:
        """Count the calls for a device."""
        return list(self.http.rooms[service].calls).count(token)


@asynccontextmanager
async def phones() -> AsyncIterator[Phones]:
    standing = Phones()
    await standing.http.start()
    try:
        yield standing
    finally:
        await standing.http.stop()


@asynccontextmanager
async def client(deadline_seconds: float = PATIENT_SECONDS, **settings: Any) -> AsyncIterator[PushProvider]:
    """Make the provider as the function does."""
    resources = SimpleNamespace(settings=Settings(**settings))
    provider = push(cast(Resources, resources))
    provider.deadline_seconds = deadline_seconds
    try:
        yield provider
    finally:
        await provider.close()


def device(service: str, behaviour: Behaviour = Behaviour.ACCEPTED, free: int = 0) -> Device:
    return Device(provider=service, token=token_for(behaviour, free), registered_at=datetime.now(UTC))


def letter(*devices: Device, key: UUID | None = None, **said: Any) -> Letter:
    return Letter(
        notification_id=uuid4(),
        tenant=said.pop("tenant", "default"),
        user_id="1",
        channel=Channel.PUSH,
        address="",
        devices=devices,
        subject=said.pop("subject", "Hello"),
        text=said.pop("text", "Your order is on its way."),
        idempotency_key=key or uuid4(),
        **said,
    )


async def send(provider: PushProvider, message: Letter) -> Outcome:
    async with asyncio.timeout(PATIENT_SECONDS * 2):  # a deadline that is not kept is a failure here, not a hang
        return await provider.send(message)


def judged(outcome: Outcome) -> tuple[OutcomeKind, str]:
    return outcome.kind, FAULT if outcome.provider_at_fault else DEAD if outcome.dead_devices else NEITHER
