"""What the tests of Twilio share: its stand-in, a provider that speaks to it through the real SDK, and letters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from infrastructure.sandbox.http import Room, SandboxHttp
from infrastructure.sandbox.mailbox import Mailbox
from infrastructure.sandbox.twilio import SMS_SENDER, TWILIO, WHATSAPP_SENDER
from shared.outcomes import Letter, Outcome
from shared.statuses import Channel, OutcomeKind
from shared.twilio.provider import TwilioProvider
from shared.twilio.sender import Account, Sender

ACCEPTED, PERMANENT, TRANSIENT = OutcomeKind.ACCEPTED, OutcomeKind.PERMANENT, OutcomeKind.TRANSIENT
THROTTLED, AMBIGUOUS = OutcomeKind.THROTTLED, OutcomeKind.AMBIGUOUS
FAULT, SUPPRESS, NEITHER = "provider_at_fault", "suppress", ""

SMS, WHATSAPP = Channel.SMS, Channel.WHATSAPP
SENDERS: Mapping[Channel, str] = {SMS: SMS_SENDER, WHATSAPP: WHATSAPP_SENDER}
ADA = "+15551234567"
TEXT = "Your order is on its way ✓"

PATIENT_SECONDS = 15.0
IMPATIENT_SECONDS = 0.4


def letter(address: str = ADA, channel: Channel = SMS, text: str = TEXT, **said: Any) -> Letter:
    return Letter(
        notification_id=uuid4(),
        tenant="default",
        user_id="1",
        channel=channel,
        address=address,
        subject="",
        text=text,
        idempotency_key=uuid4(),
        **said,
    )


@dataclass(frozen=True)
class House:
    """A stand-in that runs."""

    http: SandboxHttp

    @property
    def room(self) -> Room:
        return self.http.rooms[TWILIO.name]

    @property
    def mailbox(self) -> Mailbox:
        return self.room.mailbox

    @property
    def url(self) -> str:
        return f"{self.http.url}/{TWILIO.name}"


@asynccontextmanager
async def sandbox() -> AsyncIterator[House]:
    http = SandboxHttp(Mailbox(), [TWILIO])
    await http.start()
    try:
        yield House(http)
    finally:
        await http.stop()


@asynccontextmanager
async def client(
    url: str,
    channel: Channel = SMS,
    *,
    sender: str | None = None,
    token: str | None = None,
    deadline_seconds: float = PATIENT_SECONDS,
    public_url: str | None = None,
) -> AsyncIterator[TwilioProvider]:
    account = Account(sid=TWILIO.account_sid, token=token or TWILIO.auth_token, base_url=url)
    provider = TwilioProvider(
        account,
        Sender(channel=channel, name=sender or SENDERS[channel]),
        public_url=public_url,
        deadline_seconds=deadline_seconds,
    )
    try:
        yield provider
    finally:
        await provider.close()


def judged(outcome: Outcome) -> tuple[OutcomeKind, str]:
    return outcome.kind, FAULT if outcome.provider_at_fault else SUPPRESS if outcome.suppress else NEITHER
