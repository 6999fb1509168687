"""The work of every deliver step: ask the breaker, claim, call with a deadline, record, announce.

A claim is taken only when a call can be made at once; what waits for its turn waits unclaimed at the broker. Claims
that are asked for together are one statement, and so are outcomes. No connection to the database is held while a
provider is called.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from prometheus_client import Counter, Histogram

from shared import outbox
from shared.broker import Message
from shared.broker.topology import delay_for
from shared.coalesce import Coalescer
from shared.errors import Garbage, ShuttingDown, Transient
from shared.events import Event
from shared.ids import delivery_key
from shared.outcomes import Letter, Outcome, Provider
from shared.runtime import Resources
from shared.saga import CommandOwed, LookOwed, ResultOwed
from shared.statuses import Channel, OutcomeKind
from shared.step.answers import Done
from shared.step.breaking import Gatekeeper
from shared.step.calling import call, withheld
from shared.store.claims import LEASE_SECONDS, Claim, Command, Recorded, Verdict

SPREAD = 0.1
"""What waits together for a breaker is let go over so much more of the wait, not at one moment."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0

LONGEST_HOLD_SECONDS = 1.0
"""A command that is early by no more is kept in hand: without a claim, and without anybody's turn."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Early:
    """The attempt is due in so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Held:
    """A claim in this process's hands, and the monotonic time at which its lease ends here."""

    event: Event
    command: Command
    claim: Claim
    token: UUID
    lease_ends_at: float


class Delivering:
    """The work of one channel's function."""

    def __init__(
        self,
        name: str,
        channel: Channel,
        provider: Provider,
        resources: Resources,
        *,
        patience_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._name = name
        self._patience_seconds = patience_seconds
        self._channel = channel
        self._provider = provider
        self._resources = resources
        self._claims = resources.store.claims
        self._gate = Gatekeeper(resources.store.breakers, provider.name)
        self._turn = asyncio.Semaphore(provider.calls_at_once)
        self._bound: dict[tuple[str, OutcomeKind], tuple[Counter, Histogram]] = {}
        self._accepted_to_sent = resources.metrics.accepted_to_sent_seconds.labels(channel.value)
        self._claiming: Coalescer[Command, Claim] = Coalescer(self._claim_set, max_size=200)
        self._recording: Coalescer[Recorded, None] = Coalescer(self._record_set, max_size=200)

    async def __call__(self, events: Sequence[Event]) -> Sequence[Done | Exception]:
        """Deliver a set; each event ends as it ends."""
        answers = await asyncio.gather(*[self._deliver(event) for event in events], return_exceptions=True)
        return [a if isinstance(a, Done | Exception) else ShuttingDown("cancelled") for a in answers]

    async def close(self) -> None:
        """Let the provider go, when every outcome is recorded."""
        await self._recording.close()
        await self._provider.close()

    async def _claim_set(self, commands: Sequence[Command]) -> Sequence[Claim]:
        return await self._claims.claim(self._channel, commands)

    async def _record_set(self, items: Sequence[Recorded]) -> Sequence[None]:
        await self._claims.record(self._channel, items)
        return [None] * len(items)

    async def _deliver(self, event: Event) -> Done:
        reference = event.data
        if reference.notification_id is None or reference.channel is not self._channel:
            raise Garbage("data: a command names its notification and this function's channel")
        command = Command(reference.notification_id, reference.attempt, reference.epoch)
        answer = await self._in_turn(event, command)
        if isinstance(answer, Early):  # the jitter beyond a delay queue's step: too short for another one
            await asyncio.sleep(answer.seconds)
            answer = await self._in_turn(event, command)
        return self._later(event, command, answer.seconds) if isinstance(answer, Early) else answer

    async def _in_turn(self, event: Event, command: Command) -> Done | Early:
        async with self._turn:
            gate = await self._gate.ask(event.tenant, command.notification_id)
            if gate.wait_seconds is not None:
                return await self._postpone(event, command, gate.wait_seconds)
            done, was_called = await self._attempt(event, command, gate.probe)
            if gate.probe and not was_called:
                await self._gate.give_up(event.tenant, gate.probe)
            return done

    async def _attempt(self, event: Event, command: Command, probe: UUID | None) -> tuple[Done | Early, bool]:
        """Claim and call; return what is owed, and whether the provider was called."""
        clock = asyncio.get_running_loop().time
        asked_at = clock()
        claim = await self._claiming.submit(command)
        if claim.verdict is not Verdict.CLAIMED or claim.token is None:
            return self._explain(event, command, claim), False
        held = Held(event, command, claim, claim.token, asked_at + LEASE_SECONDS)
        reason = claim.withheld or claim.content.get("unrenderable")
        if reason:
            return await self._finish(held, withheld(reason), 0), False
        if held.lease_ends_at - clock() < self._provider.deadline_seconds:
            await self._claims.give_back(self._channel, command, held.token)
            return Done([self._command(event, command, 0)]), False
        started = clock()
        outcome = await call(self._provider, self._letter(held))
        await self._tell_breaker(event.tenant, outcome, probe)
        return await self._finish(held, outcome, clock() - started), True

    def _explain(self, event: Event, command: Command, claim: Claim) -> Done | Early:
        """Say what is owed when the attempt is not ours to make."""
        if claim.verdict is Verdict.MISSING:
            raise Garbage("data.notification_id: there is no such delivery")
        if claim.verdict is Verdict.RECORDED and claim.token:
            return Done([self._result(event, command, claim.token, succeeded=claim.outcome == "accepted")])
        if claim.verdict is Verdict.EARLY:
            is_short = claim.remaining_seconds <= LONGEST_HOLD_SECONDS
            return Early(claim.remaining_seconds) if is_short else self._later(event, command, claim.remaining_seconds)
        if claim.verdict is Verdict.EXPIRED:
            return Done([outbox.write(self._name, _about(event), LookOwed(channel=self._channel))])
        return Done()  # somebody else works on it, or it is finished: nothing to do

    async def _finish(self, held: Held, outcome: Outcome, took_seconds: float) -> Done:
        recorded = Recorded(
            command=held.command,
            token=held.token,
            tenant=held.claim.tenant,
            outcome=outcome,
            took_seconds=took_seconds,
            withheld=held.claim.withheld is not None,
            address=held.claim.address if outcome.suppress else None,
        )
        patience_ends_at = asyncio.get_running_loop().time() + self._patience_seconds
        await self._record(recorded, min(held.lease_ends_at, patience_ends_at))
        self._count(held, outcome, took_seconds)
        succeeded = outcome.kind is OutcomeKind.ACCEPTED
        return Done([self._result(held.event, held.command, held.token, succeeded=succeeded)])

    async def _record(self, recorded: Recorded, until: float) -> None:
        """Keep an outcome. Only we know it: while the lease is ours, a database that is away is waited for, because
        whoever takes the lease over can only call the attempt ambiguous and send again.
        """
        clock, pause = asyncio.get_running_loop().time, FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._recording.submit(recorded)
                return
            except Transient:
                if clock() + pause > until:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _tell_breaker(self, tenant: str, outcome: Outcome, probe: UUID | None) -> None:
        try:
            await self._gate.note(tenant, outcome, probe)
        except Transient:  # the breaker is a courtesy: the outcome must be recorded all the same
            log.warning("the breaker could not be told", extra={"provider": self._provider.name})

    async def _postpone(self, event: Event, command: Command, wait_seconds: float) -> Done:
        wait_seconds *= 1 + SPREAD * (command.notification_id.int & 0xFF) / 0xFF
        why = f"the breaker of {self._provider.name} is open"
        await self._claims.postpone(self._channel, command, seconds=wait_seconds, why=why)
        self._resources.metrics.postponed.labels(self._channel.value, self._provider.name).inc()
        return self._later(event, command, wait_seconds)

    def _letter(self, held: Held) -> Letter:
        content, command = held.claim.content, held.command
        return Letter(
            notification_id=command.notification_id,
            tenant=held.claim.tenant,
            user_id=held.claim.user_id,
            channel=self._channel,
            address=held.claim.address or "",
            subject=content.get("subject", ""),
            text=content.get("text", ""),
            html=content.get("html"),
            idempotency_key=delivery_key(command.notification_id, self._channel.value, command.epoch),
            attempt=command.attempt,
            epoch=command.epoch,
            event_type=content.get("event_type", ""),
        )

    def _count(self, held: Held, outcome: Outcome, took_seconds: float) -> None:
        attempts, seconds = self._counters(outcome.provider or "carillon", outcome.kind)
        attempts.inc()
        seconds.observe(took_seconds)
        if outcome.kind is OutcomeKind.ACCEPTED:
            self._accepted_to_sent.observe(held.claim.accepted_seconds_ago + took_seconds)

    def _counters(self, provider: str, kind: OutcomeKind) -> tuple[Counter, Histogram]:
        """Find the counters of a provider's outcome; to find them by label each time costs more than to count."""
        found = self._bound.get((provider, kind))
        if found is None:
            metrics, channel = self._resources.metrics, self._channel.value
            found = (
                metrics.attempts.labels(channel, provider, kind.value),
                metrics.call_seconds.labels(channel, provider),
            )
            self._bound[provider, kind] = found
        return found

    def _result(self, event: Event, command: Command, token: UUID, *, succeeded: bool) -> Message:
        item = ResultOwed(
            channel=self._channel, attempt=command.attempt, epoch=command.epoch, token=token, succeeded=succeeded
        )
        return outbox.write(self._name, _about(event), item)

    def _command(self, event: Event, command: Command, delay_seconds: int) -> Message:
        item = CommandOwed(channel=self._channel, attempt=command.attempt, epoch=command.epoch)
        return outbox.write(self._name, _about(event), item, delay_seconds)

    def _later(self, event: Event, command: Command, seconds: float) -> Done:
        delay = delay_for(seconds)
        return Done() if delay is None else Done([self._command(event, command, delay)])


def _about(event: Event) -> outbox.About:
    assert event.data.notification_id is not None
    return outbox.About(event.data.notification_id, event.tenant, event.data.epoch, event.traceparent)
