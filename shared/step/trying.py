"""One attempt on its way through a deliver step, and what it has to say at each turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from uuid import UUID

from shared import outbox
from shared.broker import Message
from shared.broker.topology import delay_for
from shared.errors import Garbage
from shared.events import Event
from shared.ids import delivery_key
from shared.outcomes import DEFAULT_CATEGORY, Letter, Outcome
from shared.quick import quick
from shared.saga import CommandOwed, LookOwed, ResultOwed
from shared.statuses import Channel, OutcomeKind
from shared.step.answers import Done
from shared.store.claims import Claim, Command, Recorded, Verdict
from shared.store.consequences import have_consequences
from shared.store.devices import read_address

NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})

LONGEST_HOLD_SECONDS = 1.0
"""A command that is early by no more is kept in hand: without a claim, and without anybody's turn."""


@dataclass(frozen=True, slots=True)
class Early:
    """The attempt is due in so many seconds."""

    seconds: float


@quick
@dataclass(frozen=True, slots=True)
class Try:
    """A command in hand, at its place in the set that it came with.

    `choice` says why it goes to a provider that is not its first.
    """

    step: str
    place: int
    event: Event
    command: Command
    channel: Channel
    choice: str = ""

    @property
    def about(self) -> outbox.About:
        """What its messages are about."""
        return outbox.About(self.command.notification_id, self.event.tenant, self.command.epoch, self.event.traceparent)

    def again(self, delay_seconds: int, wait_seconds: float | None = None) -> Message:
        """Write the same command once more."""
        item = CommandOwed(channel=self.channel, attempt=self.command.attempt, epoch=self.command.epoch)
        return outbox.write(self.step, self.about, item, delay_seconds, wait_seconds)

    def later(self, seconds: float) -> Done:
        """Ask for it later; beyond the longest delay only the sweep does."""
        delay = delay_for(seconds)
        return Done() if delay is None else Done([self.again(delay, seconds)])

    def result(self, token: UUID, *, succeeded: bool) -> Done:
        """Announce the outcome that is recorded under a token."""
        item = ResultOwed(
            channel=self.channel,
            attempt=self.command.attempt,
            epoch=self.command.epoch,
            token=token,
            succeeded=succeeded,
        )
        return Done([outbox.write(self.step, self.about, item)])

    def explain(self, claim: Claim) -> Done | Early | Garbage:
        """Say what is owed when the attempt is not ours to make."""
        if claim.verdict is Verdict.MISSING:
            return Garbage("data.notification_id: there is no such delivery")
        if claim.verdict is Verdict.RECORDED and claim.token:
            return self.result(claim.token, succeeded=claim.outcome == "accepted")
        if claim.verdict is Verdict.EARLY:
            is_short = claim.remaining_seconds <= LONGEST_HOLD_SECONDS
            return Early(claim.remaining_seconds) if is_short else self.later(claim.remaining_seconds)
        if claim.verdict is Verdict.EXPIRED:
            return Done([outbox.write(self.step, self.about, LookOwed(channel=self.channel))])
        return Done()  # somebody else works on it, or it is finished: nothing to do


@quick
@dataclass(frozen=True, slots=True)
class Held:
    """A claim in this process's hands, and the monotonic time at which its lease ends here."""

    attempt: Try
    claim: Claim
    token: UUID
    lease_ends_at: float

    def withheld_reason(self) -> str | None:
        """Say why nothing may be called, if so."""
        return self.claim.withheld or self.claim.content.get("unrenderable")

    def letter(self) -> Letter:
        """Write what the adapter gets."""
        claim, command, content = self.claim, self.attempt.command, self.claim.content
        is_push = self.attempt.channel is Channel.PUSH and claim.address
        return Letter(
            notification_id=command.notification_id,
            tenant=claim.tenant,
            user_id=claim.user_id,
            channel=self.attempt.channel,
            address="" if is_push else claim.address or "",
            devices=read_address(claim.address) if is_push and claim.address else (),
            subject=content.get("subject", ""),
            text=content.get("text", ""),
            html=content.get("html"),
            idempotency_key=delivery_key(command.notification_id, self.attempt.channel.value, command.epoch),
            attempt=command.attempt,
            epoch=command.epoch,
            event_type=content.get("event_type", ""),
            category=content.get("category", DEFAULT_CATEGORY),
            options=content.get("options", NO_OPTIONS),
            expires_in_seconds=claim.expires_in_seconds,
            collapse_key=claim.collapse_key,
            in_doubt_for_seconds=claim.in_doubt_for_seconds,
        )

    def recorded(self, outcome: Outcome, took_seconds: float) -> Recorded:
        """Write what is to be kept of the attempt."""
        return Recorded(
            command=self.attempt.command,
            token=self.token,
            tenant=self.claim.tenant,
            outcome=outcome,
            took_seconds=took_seconds,
            withheld=self.claim.withheld is not None,
            user_id=self.claim.user_id,
            address=self.claim.address if have_consequences(outcome) else None,
        )

    def concluded(self, outcome: Outcome) -> Done:
        """Announce the outcome."""
        return self.attempt.result(self.token, succeeded=outcome.kind is OutcomeKind.ACCEPTED)
