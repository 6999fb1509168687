"""The table of checks, and how they are made: all at once, each with a deadline, none in another's way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from infrastructure.doctor import broker, carillon, database, machine, push, redis, settings, smtp, telegram, twilio
from infrastructure.doctor.findings import Check, Finding, World, fault

CHECKS: tuple[Check, ...] = (
    Check(about="settings", look=settings.look),
    Check(about="this machine", look=machine.look),
    Check(about="database", look=database.look, seconds=20),
    Check(about="broker", look=broker.look, seconds=20),
    Check(about="Redis", look=redis.look),
    Check(about="e-mail", look=smtp.look, seconds=15),
    Check(about="Twilio", look=twilio.look),
    Check(about="push", look=push.look),
    Check(about="Telegram", look=telegram.look),
    Check(about="Carillon", look=carillon.look),
)


async def examine(world: World, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """Make all checks, and return what they found in the table's order."""
    found = await asyncio.gather(*[_made(check, world) for check in checks])
    return [finding for findings in found for finding in findings]


async def _made(check: Check, world: World) -> list[Finding]:
    try:
        async with asyncio.timeout(check.seconds):
            return await check.look(world)
    except TimeoutError:
        return [fault(check.about, f"no answer within {check.seconds:g} s", "is it reachable from here?")]
    except Exception as bug:  # one check that breaks must not take the others along
        found = f"this check failed by itself: {type(bug).__name__}"
        return [fault(check.about, found, "this is a bug of carillon doctor")]
