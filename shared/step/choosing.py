"""Which provider an attempt goes to, and why not to the one that comes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from shared.errors import Transient
from shared.outcomes import Outcome
from shared.step.health import Health
from shared.step.lines import OpenLine, draw, in_order
from shared.step.trying import Try

TRIALS = 0.1
"""So much of its share goes to a line in trouble all the same: this is how it is found to be well again."""


@dataclass(frozen=True, slots=True)
class View:
    """How the lines stand: for which tenants a breaker is shut, and what else is wrong with them."""

    shut: dict[OpenLine, set[str]]
    troubles: dict[OpenLine, str]

    def doubtful(self) -> set[str]:
        """Find the tenants for whom some breaker is not closed."""
        return set().union(*self.shut.values())


@dataclass(slots=True)
class Chosen:
    """Where the attempts of a set go: together by line, alone as a probe, or nowhere before a breaker's wait is over.

    A probe is named by its notification. A copy of its command goes along: postponed, it would put off the probe.
    `unsaid` could not be decided, because the database is away.
    """

    at: dict[OpenLine, list[Try]] = field(default_factory=dict)
    probes: dict[UUID, tuple[OpenLine, list[Try]]] = field(default_factory=dict)
    waits: list[tuple[OpenLine, Try, float]] = field(default_factory=list)
    unsaid: list[tuple[Try, Transient]] = field(default_factory=list)


class Choosing:
    """The choice among the lines of one channel."""

    def __init__(self, lines: Sequence[OpenLine]) -> None:
        self.lines = lines
        self.is_alone = len(lines) == 1
        self.heard = 0  # moves with every call that ends: who chose before it may choose again

    def note(self, line: OpenLine, outcomes: Sequence[Outcome], took_seconds: float) -> None:
        """Note calls that ended together; a lone line is not compared with anything."""
        if not self.is_alone:
            line.health.note(outcomes, took_seconds)
            self.heard += 1

    async def look(self, tries: Sequence[Try]) -> View:
        """Look at the breakers for the tenants of a set, and at how the lines have been doing.

        Raises:
            Transient: the database is away.
        """
        tenants = {one.event.tenant for one in tries}
        return View({line: await line.gate.shut(tenants) for line in self.lines}, self.troubles())

    def troubles(self) -> dict[OpenLine, str]:
        """Say which lines are not well; where none is, or none is left, that is no help, and none is said to be."""
        if self.is_alone:
            return {}
        found = {line: said for line in self.lines if (said := line.health.trouble(self._others(line)))}
        return found if len(found) < len(self.lines) else {}

    async def choose(self, tries: Sequence[Try], view: View) -> Chosen:
        """Choose for each, in turn: of those whose breaker lets one through, the first becomes the probe."""
        chosen = Chosen()
        if self.is_alone and tries and not view.doubtful():  # nothing to decide, nothing to pay
            chosen.at[self.lines[0]] = list(tries)
            return chosen
        for place, one in enumerate(tries):
            try:
                await self._choose(one, view, chosen)
            except Transient as away:
                chosen.unsaid = [(left, away) for left in tries[place:]]
                break
        return chosen

    def part(self, line: OpenLine, tries: Sequence[Try], view: View) -> tuple[list[Try], list[Try]]:
        """Part those for whom a line is still the one to take from those who had better choose again."""
        parted: tuple[list[Try], list[Try]] = ([], [])
        for one in tries:
            is_out = one.event.tenant in view.shut[line]
            has_trouble = line in view.troubles and (one.choice or not is_trial(one, line))
            parted[1 if is_out or has_trouble else 0].append(one)
        return parted

    async def _choose(self, one: Try, view: View, chosen: Chosen) -> None:
        key, tenant = one.command.notification_id, one.event.tenant
        if key in chosen.probes:
            chosen.probes[key][1].append(one)
            return
        order = in_order(key, self.lines)
        why: list[str] = []
        spare: tuple[OpenLine, str] | None = None
        waits: list[tuple[float, OpenLine]] = []
        for line in order:
            if tenant in view.shut[line]:
                door = await line.gate.ask(tenant, key)
                if door.probe:
                    chosen.probes[key] = (line, [_with(one, why)])
                    return
                if door.wait_seconds is not None:
                    waits.append((door.wait_seconds, line))
                    why.append(f"{line.name} is out: its breaker is open")
                    continue
            trouble = view.troubles.get(line)
            if not trouble or (line is order[0] and is_trial(one, line)):
                chosen.at.setdefault(line, []).append(_with(one, why))
                return
            spare = spare or (line, "; ".join(why))
            why.append(f"{line.name} {trouble}")
        if spare:  # whoever is in trouble is better than nobody
            chosen.at.setdefault(spare[0], []).append(replace(one, choice=spare[1]))
            return
        seconds, line = min(waits, key=lambda wait: wait[0])
        chosen.waits.append((line, one, seconds))

    def _others(self, line: OpenLine) -> list[Health]:
        return [other.health for other in self.lines if other is not line]


def _with(one: Try, why: Sequence[str]) -> Try:
    said = "; ".join(why)
    return one if one.choice == said else replace(one, choice=said)


def is_trial(one: Try, line: OpenLine) -> bool:
    """Tell whether an attempt is one of those that show how a line in trouble is doing: another draw each time."""
    return draw(one.command.notification_id, f"{line.name} {one.command.attempt}") <= TRIALS
