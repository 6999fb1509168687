"""What an event costs at the door: the intake in a process of its own, and beside it a route that does nothing."""

from __future__ import annotations

import secrets

from infrastructure.bench.child import child
from infrastructure.bench.measurement import Measurement, order, under_load, unworked
from infrastructure.bench.options import Options
from infrastructure.bench.stage import Stage, by_number
from infrastructure.local.private_instance import private_function
from shared.tenants import OPEN_TENANT

INTAKE, BARE = "intake", "bare route"
"""The measurements, and the parts of which each tells the processor time."""

FUNCTION, ROUTE = "ingest", "infrastructure.bench.bare"
BEYOND_REACH = "1000000/s"
"""A limit that is looked at with every call and never met."""


async def intake_alone(stage: Stage, options: Options) -> Measurement:
    """Measure the intake with keys and limits, while the runtime works off what it takes.

    A broker in the process is nobody else's: there the runtime's own intake is measured, as it is.
    """
    if options.embedded:
        return await under_load(stage, order(stage.url, options, count=options.intake, rate=options.intake_rate))
    key = secrets.token_urlsafe()
    settings = {**stage.settings, "API_KEYS": f"{OPEN_TENANT}:{key}", "RATE_LIMIT_PER_KEY": BEYOND_REACH}
    async with private_function(FUNCTION, **settings) as intake:
        what = order(by_number(intake.url), options, count=options.intake, rate=options.intake_rate, key=key)
        return await under_load(stage, what, more={INTAKE: frozenset({intake.process.pid})})


async def bare_route(stage: Stage, options: Options) -> Measurement:
    """Measure the same requests to a route that answers and does nothing."""
    async with child(ROUTE, "") as (route, port):
        url = f"http://127.0.0.1:{port}"
        what = order(url, options, count=options.intake, rate=options.intake_rate, key=secrets.token_urlsafe())
        return await unworked(stage, what, {BARE: frozenset({route.pid})})
