"""One part of a set at one provider: claim, call with a deadline, record, announce.

A claim is taken only when a call can be made at once. No connection to the database is held while a provider is called.
What ends first is announced first, whatever it came together with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from shared.coalesce import Coalescer
from shared.errors import Transient
from shared.metrics import Metrics
from shared.outcomes import Outcome
from shared.statuses import Channel
from shared.step.answers import Conclude, Done, Ended
from shared.step.calling import call_set, withheld
from shared.step.choosing import Choosing
from shared.step.lines import OpenLine
from shared.step.recording import Counts, Recording
from shared.step.trying import Early, Held, Try
from shared.step.window import Places
from shared.store.claims import LEASE_SECONDS, Claim, Claims, Command, Verdict

NOT_BEGUN_SECONDS = 2
"""A letter that was not begun, for want of a connection or of time, is tried again so much later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the sets of one channel share in this process, whichever line they take."""

    channel: Channel
    choosing: Choosing
    claims: Claims
    metrics: Metrics
    claiming: Coalescer[Command, Claim]
    recording: Recording
    counts: Counts


class Attempting:
    """Attempts that go to one line together, or alone as its probe."""

    def __init__(self, means: Means, line: OpenLine, conclude: Conclude, probe: UUID | None = None) -> None:
        self._means = means
        self._line = line
        self._conclude = conclude
        self._probe = probe

    async def run(self, tries: Sequence[Try], *, is_again: bool = False) -> bool:
        """Claim and call, within places of the window that are ours; return whether the provider was called."""
        lease_ends_at = asyncio.get_running_loop().time() + LEASE_SECONDS
        places = Places(self._line.window, len(tries))
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
            others += [self._hold(one, seconds, is_again=is_again) for one, seconds in early]
            called = await asyncio.gather(self._call(helds, places), *others)
        return any(called)

    async def _hold(self, one: Try, seconds: float, *, is_again: bool) -> bool:
        """Keep in hand what is early by the jitter beyond a delay queue's step: too short for another one.

        Who was to probe the provider still is. Return whether it was called in the end.
        """
        if is_again:
            await self._conclude([(one.place, one.later(seconds))])
            return False
        await asyncio.sleep(seconds)
        await self._line.window.enter(1)
        return await self.run([one], is_again=True)

    async def _call(self, helds: Sequence[Held], places: Places) -> bool:
        if not helds:
            return False
        provider, clock = self._line.provider, asyncio.get_running_loop().time
        started, tasks = clock(), []
        letters = [held for held in helds if not held.withheld_reason()]
        if started > helds[0].lease_ends_at - provider.deadline_seconds:  # this process slept: others may have it
            places.leave(len(helds))
            await self._give_back(helds, 0)
            return False

        def tell(ended: Sequence[tuple[int, Outcome | None]]) -> None:
            took, outcomes = clock() - started, [outcome for _, outcome in ended if outcome is not None]
            if outcomes:
                self._means.choosing.note(self._line, outcomes, took)
            found = [(letters[place], outcome) for place, outcome in ended]
            tasks.append(asyncio.ensure_future(self._finish(found, took, places)))

        silent = [(held, withheld(reason)) for held in helds if (reason := held.withheld_reason())]
        if silent:
            tasks.append(asyncio.ensure_future(self._finish(silent, 0, places)))
        if letters:
            begin_until = helds[0].lease_ends_at - provider.deadline_seconds
            await call_set(provider, [held.letter() for held in letters], tell, begin_until)
        return any(await asyncio.gather(*tasks))

    async def _finish(self, ended: Sequence[tuple[Held, Outcome | None]], took: float, places: Places) -> bool:
        """Record, count and announce what came of calls that ended together; return whether any was begun."""
        begun = [(held, _explained(held, outcome)) for held, outcome in ended if outcome is not None]
        was_called = bool(begun) and begun[0][0].withheld_reason() is None
        if was_called:
            await self._line.tell_breaker([(held.attempt.event.tenant, o) for held, o in begun], self._probe)
            self._line.window.learn(took)
        places.leave(len(ended))  # after the breaker has heard: who waits for a place may then choose another line
        if len(begun) < len(ended):
            await self._give_back([held for held, outcome in ended if outcome is None], NOT_BEGUN_SECONDS)
        if begun:
            await self._record(begun, took)
        return was_called

    async def _record(self, begun: Sequence[tuple[Held, Outcome]], took: float) -> None:
        recorded = [held.recorded(outcome, took) for held, outcome in begun]
        failures = await self._means.recording.keep(recorded, begun[0][0].lease_ends_at)
        kept = [pair for pair, failure in zip(begun, failures, strict=True) if failure is None]
        self._means.counts.note(kept, took)
        concluded: list[Ended] = [(held.attempt.place, held.concluded(outcome)) for held, outcome in kept]
        concluded += [
            (held.attempt.place, failure) for (held, _), failure in zip(begun, failures, strict=True) if failure
        ]
        await self._conclude(concluded)

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


def _explained(held: Held, outcome: Outcome) -> Outcome:
    """Note why the call did not go to the provider that comes first; what was withheld went nowhere."""
    choice = "" if held.withheld_reason() else held.attempt.choice
    return outcome if outcome.choice == choice else replace(outcome, choice=choice)
