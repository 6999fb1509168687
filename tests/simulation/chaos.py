"""What goes wrong, and when: drawn from the seed, effect by effect and minute by minute."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.simulation.loop import State
from tests.simulation.weather import Climate, Weather
from tests.simulation.wire import Blow, Fate

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

RARE = {
    "claims.give_back": 10.0,
    "claims.postpone": 4.0,
    "breakers.release": 10.0,
    "breakers.try_probe": 6.0,
    "breakers.fail": 6.0,
    "breakers.succeed": 6.0,
    "sagas.hasten": 10.0,
    "sagas.bury": 4.0,
    "sagas.receipts": 2.0,
    "dead_letters.replay": 5.0,
    "inbox.acknowledge": 3.0,
    "inbox.put": 4.0,
    "receipts.keep": 4.0,
    "intake.keep": 4.0,
    "claims.record": 4.0,
    "claims.claim": 2.0,
    "sagas.facts": 2.0,
    "provider.send": 8.0,
    "reject": 2.0,
}
"""Effects that are rare, and how much more likely something goes wrong there."""

SPARED = frozenset({"ingest", "console", "realtime"})
"""Whose messages only the sweep brings again: where there is none, nothing befalls them."""


class Chaos:
    """What goes wrong in one run."""

    def __init__(self, world: World, weather: Weather) -> None:
        self._world, self._weather = world, weather
        self._calm = Weather(climate=weather.climate, seconds=0, latency_seconds=weather.latency_seconds)
        self._away_until = 0.0

    @property
    def is_over(self) -> bool:
        """Tell whether nothing goes wrong any more."""
        return self._world.loop.now >= self._weather.seconds

    def weather_for(self, process: Process) -> Weather:
        """Say what may befall a process now."""
        weather = self._weather
        if self._world.loop.now >= weather.seconds:
            return self._calm
        return self._calm if weather.climate is Climate.NO_SWEEP and process.kind in SPARED else weather

    def blow(self, process: Process, what: str) -> Blow:
        """Draw what befalls a process around one effect."""
        weather = self.weather_for(process)
        if weather is self._calm or process.actor.state is not State.RUNNING:
            return Blow.NOTHING
        if weather.climate is Climate.NO_SWEEP and process.kind not in ("orchestrate", "compensate"):
            return Blow.NOTHING  # a claim that died with its process is found by the sweep
        dice, rarity = self._world.random, RARE.get(what, 1.0)
        lot = dice.random() / rarity
        if lot < weather.crash:
            return dice.choice([Blow.KILLED_BEFORE, Blow.KILLED_AFTER])
        if lot < weather.crash + weather.stop:
            return dice.choice([Blow.STOPPED_BEFORE, Blow.STOPPED_AFTER])
        return Blow.NOTHING

    def fate(self, process: Process, what: str) -> Fate:
        """Draw whether an effect on the store is done, and whether its process hears so."""
        if what in ("publish", "provider.send"):
            return Fate.DONE
        weather = self.weather_for(process)
        if self._world.loop.now < self._away_until:
            return Fate.REFUSED
        lot = self._world.random.random()
        if lot < weather.refused:
            return Fate.REFUSED
        is_claim = what == "claims.claim" and weather.climate is Climate.NO_SWEEP
        return Fate.UNKNOWN if lot < weather.refused + weather.unknown and not is_claim else Fate.DONE

    def begin(self) -> None:
        """Let the disasters happen that need no effect."""
        weather = self._weather
        self._now_and_then(weather.cuts_per_minute, self._cut)
        self._now_and_then(weather.empties_per_minute, self._empty)
        self._now_and_then(weather.outages_per_minute, self._take_the_database_away)
        self._now_and_then(weather.rollouts_per_minute, self._roll_out)

    def _now_and_then(self, per_minute: float, happen: Callable[[], None]) -> None:
        if not per_minute:
            return

        def strike() -> None:
            if not self.is_over:
                happen()
                self._world.after(self._world.random.expovariate(per_minute / 60), strike)

        self._world.after(self._world.random.expovariate(per_minute / 60), strike)

    def _anybody(self) -> Process | None:
        living = [process for process in self._world.processes() if process.actor.state is State.RUNNING]
        return self._world.random.choice(living) if living else None

    def _cut(self) -> None:
        process = self._anybody()
        if process is not None:
            process.lose_connection()

    def _roll_out(self) -> None:
        process = self._anybody()
        if process is not None:
            process.roll_out()

    def _empty(self) -> None:
        self._world.tell("broker", "loses everything", ())
        self._world.history.seen["the broker was emptied"] += 1
        self._world.broker.lose_everything()

    def _take_the_database_away(self) -> None:
        seconds = self._world.random.choice([0.5, 5.0, 30.0, 90.0])
        self._away_until = self._world.now + seconds
        self._world.tell("database", "goes away", (), seconds)
        self._world.history.seen["the database went away"] += 1
        for process in self._world.processes():
            for session in process.sessions:
                session.roll_back()
