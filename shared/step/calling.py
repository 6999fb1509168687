"""One call to a provider, with its deadline enforced from outside: it always ends in an outcome."""

from __future__ import annotations

import asyncio
import logging

from shared.outcomes import Letter, Outcome, Provider
from shared.statuses import OutcomeKind

MARGIN_SECONDS = 1
"""The adapter's own deadline comes first; this one is for an adapter that missed it."""

log = logging.getLogger(__name__)


async def call(provider: Provider, letter: Letter) -> Outcome:
    """Make one attempt. Whatever goes wrong in an adapter is ambiguous: nobody knows how far it came."""
    try:
        async with asyncio.timeout(provider.deadline_seconds + MARGIN_SECONDS):
            return await provider.send(letter)
    except TimeoutError:
        return _ambiguous(provider, "deadline", "no answer within the deadline")
    except Exception as bug:
        log.error("an adapter failed", exc_info=bug, extra={"notification_id": str(letter.notification_id)})
        return _ambiguous(provider, type(bug).__name__, "the adapter failed on the way")


def withheld(reason: str) -> Outcome:
    """Say that nothing was called: the person does not want it, has no address, or it cannot be rendered."""
    return Outcome(kind=OutcomeKind.PERMANENT, code="withheld", reason=reason, provider="carillon")


def _ambiguous(provider: Provider, code: str, reason: str) -> Outcome:
    return Outcome(kind=OutcomeKind.AMBIGUOUS, code=code, reason=reason, provider=provider.name, provider_at_fault=True)
