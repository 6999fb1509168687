"""The mail servers of the simulated world, and the adapters of a process to them: every mood a provider can be in."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from shared.outcomes import Letter, Outcome
from shared.statuses import OutcomeKind
from shared.step.lines import draw
from tests.simulation.history import Acceptance

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

PROVIDER, SECOND = "mail", "second mail"
DEADLINE_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mood:
    """What the server does with one message: how long it takes, whether it keeps it, and what it says."""

    kind: OutcomeKind
    keeps: bool = False
    seconds: float = 0.1
    code: str = ""
    at_fault: bool = False
    suppresses: bool = False
    retry_after: float | None = None
    breaks: bool = False


K = OutcomeKind
MOODS: Mapping[str, Mood] = {
    "accepts": Mood(kind=K.ACCEPTED, keeps=True, code="250"),
    "is busy": Mood(kind=K.TRANSIENT, code="451"),
    "is down": Mood(kind=K.TRANSIENT, code="connection refused", at_fault=True),
    "refuses": Mood(kind=K.PERMANENT, code="550"),
    "bounces": Mood(kind=K.PERMANENT, code="550 5.1.1", suppresses=True),
    "says later": Mood(kind=K.THROTTLED, code="421"),
    "says in a second": Mood(kind=K.THROTTLED, code="429", retry_after=0.2),
    "says in five minutes": Mood(kind=K.THROTTLED, code="429", retry_after=300),
    "says in two hours": Mood(kind=K.THROTTLED, code="429", retry_after=7200),
    "says in two days": Mood(kind=K.THROTTLED, code="429", retry_after=172_800),
    "keeps it and falls silent": Mood(kind=K.AMBIGUOUS, keeps=True, code="no reply", at_fault=True),
    "falls silent": Mood(kind=K.AMBIGUOUS, code="no reply", at_fault=True),
    "keeps it and hangs": Mood(kind=K.ACCEPTED, keeps=True, seconds=40, code="250"),
    "hangs": Mood(kind=K.TRANSIENT, seconds=40, code="451"),
    "keeps it and breaks the adapter": Mood(kind=K.ACCEPTED, keeps=True, breaks=True),
    "breaks the adapter": Mood(kind=K.TRANSIENT, breaks=True),
}
del K

SHARE_OF_PAIRS = 0.4
"""Of so many runs there are two providers."""

WEIGHTS = {PROVIDER: 2, SECOND: 1}
OUTAGE = ("is down", "is down", "hangs", "keeps it and hangs", "falls silent")

Temper = tuple[str, ...]
"""The moods of a server towards one address: each answer is one of them."""

FRIENDLY: Temper = ("accepts",)
TEMPERS: tuple[Temper, ...] = (
    FRIENDLY,
    ("accepts", "accepts", "is busy"),
    ("accepts", "is busy", "is busy", "is busy"),
    ("is busy",),
    ("accepts", "is down", "is down"),
    ("is down",),
    ("refuses",),
    ("bounces",),
    ("accepts", "refuses"),
    ("accepts", "says later", "says in a second"),
    ("is busy", "says in a second", "says in five minutes"),
    ("accepts", "says in five minutes", "says in two hours"),
    ("says in two days",),
    ("says in two days", "is busy"),
    ("says later",),
    ("accepts", "keeps it and falls silent", "falls silent"),
    ("keeps it and falls silent",),
    ("accepts", "keeps it and hangs", "hangs"),
    ("accepts", "keeps it and breaks the adapter", "breaks the adapter"),
    tuple(MOODS),
)
_LONG = frozenset({"says later", "says in two hours", "says in two days"})
SOON_OVER: tuple[Temper, ...] = tuple(temper for temper in TEMPERS if _LONG.isdisjoint(temper))
"""Those that ask for no wait beyond an hour, which only the sweep would end."""


class MailServers:
    """The providers of the simulated world: one, or two of which each may be down for a while."""

    def __init__(self, world: World, tempers: tuple[Temper, ...], random: Random) -> None:
        self._world, self._random = world, random
        self._tempers = tempers
        self._of: dict[str, Temper] = {}
        self.names = (PROVIDER, SECOND) if random.random() < SHARE_OF_PAIRS else (PROVIDER,)
        self._outages = {name: self._draw_outage() for name in self.names} if len(self.names) > 1 else {}
        self._was_out: set[str] = set()

    def _draw_outage(self) -> tuple[float, float]:
        begins = self._random.uniform(0, self._world.weather.seconds)
        return begins, begins + self._random.choice([0.0, 20.0, 90.0, 200.0])

    def weight(self, name: str) -> int:
        """Say which share a provider has of what is sent."""
        return WEIGHTS[name]

    def mood(self, address: str, provider: str = PROVIDER) -> str:
        """Draw what becomes of the next message to an address."""
        begins, ends = self._outages.get(provider, (0.0, 0.0))
        if begins <= self._world.now < ends:
            self._was_out.add(provider)
            return self._random.choice(OUTAGE)
        if address not in self._of:
            self._of[address] = self._random.choice(self._tempers)
        return self._random.choice(self._of[address])

    def called(self, letter: Letter, provider: str) -> None:
        """See who is called: whether the order is kept, and whether a provider that was out has work again."""
        if len(self.names) == 1:
            return
        seen, first = self._world.history.seen, min(self.names, key=lambda name: self._place(letter, name))
        seen["two providers: the first was called" if provider == first else "two providers: another took over"] += 1
        if provider in self._was_out and self._world.now >= self._outages[provider][1]:
            self._was_out.discard(provider)
            seen["two providers: one came back"] += 1

    def _place(self, letter: Letter, name: str) -> float:
        return -math.log(draw(letter.notification_id, name)) / self.weight(name)

    async def deal(self, letter: Letter, name: str, provider: str = PROVIDER) -> Outcome:
        """Take a message or not, and answer."""
        world, mood = self._world, MOODS[name]
        world.history.seen[f"the provider {name}"] += 1
        if mood.keeps:
            taken = Acceptance(
                at=world.now,
                notification=letter.notification_id,
                channel=letter.channel,
                epoch=letter.epoch,
                attempt=letter.attempt,
                address=letter.address,
            )
            world.history.acceptances.append(taken)
            world.people.may_return(taken)
        world.tell(f"{provider} server", name, (letter,))
        await asyncio.sleep(mood.seconds)
        if mood.breaks:
            raise RuntimeError("the adapter breaks")
        return Outcome(
            kind=mood.kind,
            code=mood.code,
            reason=f"the server {name}",
            provider=provider,
            retry_after_seconds=mood.retry_after,
            provider_at_fault=mood.at_fault,
            suppress=mood.suppresses,
        )


class Mail:
    """The adapter of one process."""

    deadline_seconds: float = DEADLINE_SECONDS
    calls_at_once: int = 4

    def __init__(self, process: Process, name: str = PROVIDER) -> None:
        self._process, self.name = process, name

    async def send(self, letter: Letter) -> Outcome:
        """Make one attempt."""
        world = self._process.world
        world.watch.called(self._process, letter)
        name, server = world.mail.mood(letter.address, self.name), world.mail
        server.called(letter, self.name)
        return await self._process.wire.call("provider.send", (letter,), lambda: server.deal(letter, name, self.name))

    async def close(self) -> None:
        """Nothing is held."""
