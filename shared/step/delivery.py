"""One set of commands on its way: choose the provider, wait for room there, attempt.

What waits for its turn, or for a breaker, waits unclaimed at the broker. While it waits for room, what is heard of the
providers meanwhile may change the choice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from uuid import UUID

from shared.errors import Garbage, Transient
from shared.step.answers import Conclude, Ended
from shared.step.attempting import Attempting, Means
from shared.step.choosing import View
from shared.step.lines import OpenLine
from shared.step.trying import Try

PATIENCE_SECONDS = 60.0
"""So long a command waits here for room; with its call it is answered within the revision's timeout of 120 s. Whoever
had it cut off would send it again while the first one waits on.
"""

NO_ROOM = Transient("there was no room for it at its provider in time")

SPREAD = 0.1
"""What waits together for a breaker is let go over so much more of the wait, not at one moment."""


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
        await self._set_out(tries)

    async def _set_out(self, tries: Sequence[Try], moves: int = 0) -> None:
        """Choose for each, and attempt; who must ask at a breaker holds up no other."""
        try:
            view = await self._means.choosing.look(tries)
        except Transient as away:
            await self._conclude([(one.place, away) for one in tries])
            return
        doubtful = view.doubtful()
        together = [one for one in tries if one.event.tenant not in doubtful]
        asking = [one for one in tries if one.event.tenant in doubtful]
        await asyncio.gather(*[self._send(part, view, moves) for part in (together, asking) if part])

    async def _send(self, tries: Sequence[Try], view: View, moves: int) -> None:
        chosen = await self._means.choosing.choose(tries, view)
        ways: list[Awaitable[None]] = [self._attempt_all(line, part, moves) for line, part in chosen.at.items()]
        ways += [self._probe(line, copies, token) for token, (line, copies) in chosen.probes.items()]
        ways += [self._postpone(line, one, seconds) for line, one, seconds in chosen.waits]
        if chosen.unsaid:
            ways.append(self._conclude([(one.place, away) for one, away in chosen.unsaid]))
        await asyncio.gather(*ways)

    async def _attempt_all(self, line: OpenLine, tries: list[Try], moves: int) -> None:
        """Attempt as many at once as there is room for; for what finds none in time the broker is the place to wait."""
        parts: list[Awaitable[object]] = []
        heard = self._means.choosing.heard
        until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while tries:
            try:
                async with asyncio.timeout_at(until):
                    room = await line.window.enter(len(tries))
            except TimeoutError:
                parts.append(self._conclude([(one.place, NO_ROOM) for one in tries]))
                break
            if self._means.choosing.heard != heard and moves < len(self._means.choosing.lines):
                heard = self._means.choosing.heard
                tries, others = await self._stay(line, tries)
                if others:
                    parts.append(asyncio.ensure_future(self._set_out(others, moves + 1)))
                line.window.leave(max(0, room - len(tries)))
            part, tries = tries[:room], tries[room:]
            if part:
                parts.append(asyncio.ensure_future(Attempting(self._means, line, self._conclude).run(part)))
        await asyncio.gather(*parts)

    async def _stay(self, line: OpenLine, tries: list[Try]) -> tuple[list[Try], list[Try]]:
        """Part those for whom the line is still the one to take from those who are to choose again."""
        choosing = self._means.choosing
        try:
            view = await choosing.look(tries)
        except Transient:  # they have their place, and the call needs no look
            return tries, []
        return choosing.part(line, tries, view)

    async def _probe(self, line: OpenLine, copies: Sequence[Try], token: UUID) -> None:
        """Deliver one command as the probe of its line; copies of it find what came of it."""
        try:
            attempting, was_called = Attempting(self._means, line, self._conclude, token), False
            for one in copies:
                await line.window.enter(1)
                was_called |= await attempting.run([one])
            if not was_called:  # there was nothing to call with
                await line.gate.give_up(copies[0].event.tenant, token)
        except Transient as away:
            await self._conclude([(one.place, away) for one in copies])

    async def _postpone(self, line: OpenLine, one: Try, seconds: float) -> None:
        """Let one command wait for the breaker that opens first; no try is used up."""
        means = self._means
        seconds *= 1 + SPREAD * (one.command.notification_id.int & 0xFF) / 0xFF
        try:
            wait = await means.claims.postpone(
                means.channel, one.command, seconds=seconds, why=f"the breaker of {line.name} is open"
            )
        except Transient as away:
            await self._conclude([(one.place, away)])
            return
        means.metrics.postponed.labels(means.channel.value, line.name).inc()
        await self._conclude([(one.place, one.later(wait))])
