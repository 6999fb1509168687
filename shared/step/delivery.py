"""One set of commands on its way: ask the breaker, claim, call with a deadline, record, announce.

A claim is taken only when a call can be made at once; what waits for its turn waits unclaimed at the broker. No
connection to the database is held while a provider is called. What ends first is announced first, whatever it came
together with.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.coalesce import Coalescer
from shared.errors import Garbage, Transient
from shared.metrics import Metrics
from shared.outcomes import Outcome, Provider
from shared.statuses import Channel
from shared.step.answers import Conclude, Done, Ended
from shared.step.breaking import Gatekeeper
from shared.step.calling import call_set, withheld
from shared.step.recording import Counts, Recording
from shared.step.trying import Early, Held, Try
from shared.step.window import Places, Window
from shared.store.claims import LEASE_SECONDS, Claim, Claims, Command, Verdict

SPREAD = 0.1
"""What waits together for a breaker is let go over so much more of the wait, not at one moment."""

NOT_BEGUN_SECONDS = 2
"""A letter that was not begun, for want of a connection or of time, is tried again so much later."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the sets of one channel share in this process."""

    channel: Channel
    provider: Provider
    claims: Claims
    metrics: Metrics
    gate: Gatekeeper
    window: Window
    claiming: Coalescer[Command, Claim]
    recording: Recording
    counts: Counts


class Delivery:
    """One set on its way."""

    def __init__(self, means: Means, conclude: Conclude) -> None:
        self._means = means
        self._conclude = conclude

    async def run(self, found: Sequence[Try | Garbage]) -> None:
        """Deliver every command of the set."""
        garbage: list[Ended] = [(place, item) for place, item in enumerate(found) if isinstance(item, Garbage)]
        tries = [item for item in found if isinstance(item, Try)]
        if garbage:
            await self._conclude(garbage)
        try:
            shut = await self._means.gate.shut({one.event.tenant for one in tries})
        except Transient as away:
            await self._conclude([(one.place, away) for one in tries])
            return
        together = [one for one in tries if one.event.tenant not in shut]
        doubtful = [self._pass_gate(one) for one in tries if one.event.tenant in shut]
        await asyncio.gather(self._attempt_all(together), *doubtful)

    async def _attempt_all(self, tries: list[Try], *, is_again: bool = False) -> None:
        """Attempt as many at once as there is room for."""
        parts = []
        while tries:
            room = await self._means.window.enter(len(tries))
            part, tries = tries[:room], tries[room:]
            parts.append(asyncio.ensure_future(self._attempt(part, None, is_again=is_again)))
        await asyncio.gather(*parts)

    async def _pass_gate(self, one: Try) -> None:
        """Deliver one command whose provider is in doubt: later, or as the probe."""
        gate = self._means.gate
        try:
            door = await gate.ask(one.event.tenant, one.command.notification_id)
            if door.wait_seconds is not None:
                await self._conclude([(one.place, await self._postpone(one, door.wait_seconds))])
                return
            await self._means.window.enter(1)
            was_called = await self._attempt([one], door.probe)
            if door.probe and not was_called:
                await gate.give_up(one.event.tenant, door.probe)
        except Transient as away:
            await self._conclude([(one.place, away)])

    async def _attempt(self, tries: Sequence[Try], probe: UUID | None, *, is_again: bool = False) -> bool:
        """Claim and call, within places of the window that are ours; return whether the provider was called."""
        lease_ends_at = asyncio.get_running_loop().time() + LEASE_SECONDS
        places = Places(self._means.window, len(tries))
        with places:
            claims = await self._means.claiming.submit_all([one.command for one in tries])
            helds: list[Held] = []
            ended: list[Ended] = []
            early: list[tuple[Try, float]] = []
            for one, claim in zip(tries, claims, strict=True):
                if isinstance(claim, BaseException):
                    ended.append((one.place, claim))
                elif claim.verdict is Verdict.CLAIMED and claim.token is not None:
                    helds.append(Held(one, claim, claim.token, lease_ends_at))
                elif isinstance(said := one.explain(claim), Early):
                    early.append((one, said.seconds))
                else:
                    ended.append((one.place, said))
            places.leave(len(tries) - len(helds))
            others: list[Awaitable[bool | None]] = [self._conclude(ended)] if ended else []
            others += [self._hold(one, seconds, probe, is_again=is_again) for one, seconds in early]
            called = await asyncio.gather(self._call(helds, places, probe), *others)
        return any(called)

    async def _hold(self, one: Try, seconds: float, probe: UUID | None, *, is_again: bool) -> bool:
        """Keep in hand what is early by the jitter beyond a delay queue's step: too short for another one.

        Who was to probe the provider still is. Return whether it was called in the end.
        """
        if is_again:
            await self._conclude([(one.place, one.later(seconds))])
            return False
        await asyncio.sleep(seconds)
        await self._means.window.enter(1)
        return await self._attempt([one], probe, is_again=True)

    async def _call(self, helds: Sequence[Held], places: Places, probe: UUID | None) -> bool:
        if not helds:
            return False
        means, clock = self._means, asyncio.get_running_loop().time
        started, tasks = clock(), []
        letters = [held for held in helds if not held.withheld_reason()]
        if started > helds[0].lease_ends_at - means.provider.deadline_seconds:  # this process slept: others may have it
            places.leave(len(helds))
            await self._give_back(helds, 0)
            return False

        def tell(ended: Sequence[tuple[int, Outcome | None]]) -> None:
            places.leave(len(ended))
            found = [(letters[place], outcome) for place, outcome in ended]
            tasks.append(asyncio.ensure_future(self._finish(found, clock() - started, probe)))

        silent = [(held, withheld(reason)) for held in helds if (reason := held.withheld_reason())]
        if silent:
            places.leave(len(silent))
            tasks.append(asyncio.ensure_future(self._finish(silent, 0, None)))
        if letters:
            begin_until = helds[0].lease_ends_at - means.provider.deadline_seconds
            await call_set(means.provider, [held.letter() for held in letters], tell, begin_until)
        return any(await asyncio.gather(*tasks))

    async def _finish(self, ended: Sequence[tuple[Held, Outcome | None]], took: float, probe: UUID | None) -> bool:
        """Record, count and announce what came of calls that ended together; return whether any was begun."""
        means = self._means
        begun = [(held, outcome) for held, outcome in ended if outcome is not None]
        if len(begun) < len(ended):
            await self._give_back([held for held, outcome in ended if outcome is None], NOT_BEGUN_SECONDS)
        if not begun:
            return False
        means.window.learn(took)
        await self._tell_breaker(begun, probe)
        recorded = [held.recorded(outcome, took) for held, outcome in begun]
        failures = await means.recording.keep(recorded, begun[0][0].lease_ends_at)
        kept = [pair for pair, failure in zip(begun, failures, strict=True) if failure is None]
        means.counts.note(kept, took)
        concluded: list[Ended] = [(held.attempt.place, held.concluded(outcome)) for held, outcome in kept]
        concluded += [
            (held.attempt.place, failure) for (held, _), failure in zip(begun, failures, strict=True) if failure
        ]
        await self._conclude(concluded)
        return begun[0][0].withheld_reason() is None

    async def _give_back(self, helds: Sequence[Held], delay_seconds: int) -> None:
        """Undo claims under which nothing was called, and ask for the attempts again."""
        try:
            await self._means.claims.give_back(
                self._means.channel, [(held.attempt.command, held.token) for held in helds]
            )
        except Transient as away:  # they come back when the lease ends
            await self._conclude([(held.attempt.place, away) for held in helds])
            return
        await self._conclude([(held.attempt.place, Done([held.attempt.again(delay_seconds)])) for held in helds])

    async def _tell_breaker(self, ended: Sequence[tuple[Held, Outcome]], probe: UUID | None) -> None:
        means = self._means
        failing: set[str] = set()
        try:
            for held, outcome in ended:
                tenant = held.attempt.event.tenant
                if outcome.provider_at_fault and tenant in failing:
                    continue  # what ends together ends by one failure, such as a cut, however many letters it hit
                failing = failing | {tenant} if outcome.provider_at_fault else failing - {tenant}
                if means.gate.wants_to_hear(tenant, outcome, probe):
                    await means.gate.note(tenant, outcome, probe)
        except Transient:  # the breaker is a courtesy: the outcome must be recorded all the same
            log.warning("the breaker could not be told", extra={"provider": means.provider.name})

    async def _postpone(self, one: Try, wait_seconds: float) -> Done:
        means = self._means
        wait_seconds *= 1 + SPREAD * (one.command.notification_id.int & 0xFF) / 0xFF
        why = f"the breaker of {means.provider.name} is open"
        await means.claims.postpone(means.channel, one.command, seconds=wait_seconds, why=why)
        means.metrics.postponed.labels(means.channel.value, means.provider.name).inc()
        return one.later(wait_seconds)
