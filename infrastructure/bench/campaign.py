"""A campaign: one measurement after the other around one database."""

from __future__ import annotations

from dataclasses import dataclass

from infrastructure.bench.intake import BARE, INTAKE, bare_route, intake_alone
from infrastructure.bench.measurement import Measurement, at_rest, order, under_load
from infrastructure.bench.options import Options
from infrastructure.bench.stage import Say, Stage, stage
from shared.errors import Permanent
from shared.settings import Settings

SATURATED, STEADY, REST = "saturated", "at a rate", "at rest"


class NotMeasurable(Permanent):
    """The benchmark cannot say anything here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """The measurements around one database, by name."""

    history: int
    measurements: dict[str, Measurement]

    @property
    def is_whole(self) -> bool:
        """Whether nothing was lost or left unsent."""
        return all(one.traffic is None or one.traffic.is_whole for one in self.measurements.values())


async def campaign(options: Options, settings: Settings, rows: int, say: Say) -> Campaign:
    """Bring everything up and measure."""
    async with stage(options, settings, rows, say) as up:
        if options.warm_up:
            say(f"warming up with {options.warm_up:,}")
            demand_whole(await _load(up, options, count=options.warm_up))
        found = {}
        if options.notifications:
            say(f"{options.notifications:,} notifications over {options.connections} connections")
            found[SATURATED] = await _load(up, options, count=options.notifications, swallow=options.swallow)
        if options.open_loop:
            say(f"{options.rate:g} a second for {options.seconds:g} s")
            found[STEADY] = await _load(up, options, count=options.open_loop, rate=options.rate)
        if options.intake:
            say(f"{options.intake_rate:g} a second for {options.intake_seconds:g} s, to the intake")
            found[INTAKE] = await intake_alone(up, options)
            say("and to a route that does nothing")
            found[BARE] = await bare_route(up, options)
        if options.rest_seconds:
            say(f"at rest for {options.rest_seconds:g} s")
            found[REST] = await at_rest(up, options.rest_seconds)
        return Campaign(history=rows, measurements=found)


def demand_whole(warm_up: Measurement) -> None:
    """Hold the warm-up to what is held to be true of the rest.

    Raises:
        NotMeasurable: something was lost already.
    """
    traffic = warm_up.traffic
    if traffic and not traffic.is_whole:
        raise NotMeasurable(
            f"the warm-up did not go through: {traffic.lost} lost, {traffic.unsent} left unsent, "
            f"and of {traffic.posted} posted {traffic.accepted} accepted; answers: {traffic.answers}"
        )


async def _load(up: Stage, options: Options, *, count: int, rate: float | None = None, swallow: int = 0) -> Measurement:
    return await under_load(up, order(up.url, options, count=count, rate=rate), swallow=swallow)
