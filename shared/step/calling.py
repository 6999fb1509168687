"""Calls to a provider, with their deadline enforced from outside: each always ends in an outcome."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from shared.outcomes import Letter, Outcome, Provider, SetProvider, Tell
from shared.statuses import OutcomeKind

MARGIN_SECONDS = 1
"""The adapter's own deadline comes first; this one is for an adapter that missed it."""

log = logging.getLogger(__name__)


async def call_set(provider: Provider, letters: Sequence[Letter], tell: Tell, begin_until: float) -> None:
    """Make one attempt for each letter, and tell what came of each as it ends, once.

    Whoever calls this has just seen on the loop's clock that it is not later than `begin_until`. A set is handed over
    without an await after that; of what is called one by one, None is told where the clock says otherwise meanwhile.
    Whatever goes wrong in an adapter is ambiguous: nobody knows how far it came.
    """
    if not isinstance(provider, SetProvider):
        calls = [_call_one(provider, place, letter, tell, begin_until) for place, letter in enumerate(letters)]
        await asyncio.gather(*calls)
        return
    untold = dict.fromkeys(range(len(letters)))

    def note(ended: Sequence[tuple[int, Outcome | None]]) -> None:
        fresh = [(place, outcome) for place, outcome in ended if place in untold]
        for place, _ in fresh:
            del untold[place]
        tell(fresh)

    failure = _ambiguous(provider, "silence", "the adapter said nothing of it")
    try:
        async with asyncio.timeout(provider.deadline_seconds + MARGIN_SECONDS):
            await provider.send_set(letters, note)
    except TimeoutError:
        failure = _ambiguous(provider, "deadline", "no answer within the deadline")
    except Exception as bug:
        log.error("an adapter failed", exc_info=bug, extra={"provider": provider.name, "count": len(untold)})
        failure = _ambiguous(provider, type(bug).__name__, "the adapter failed on the way")
    note([(place, failure) for place in untold])


async def _call_one(provider: Provider, place: int, letter: Letter, tell: Tell, begin_until: float) -> None:
    # Its turn comes after whatever else was ready to run, and this process may have been stopped in any of that.
    if asyncio.get_running_loop().time() > begin_until:
        tell([(place, None)])
        return
    try:
        async with asyncio.timeout(provider.deadline_seconds + MARGIN_SECONDS):
            outcome = await provider.send(letter)
    except TimeoutError:
        outcome = _ambiguous(provider, "deadline", "no answer within the deadline")
    except Exception as bug:
        log.error("an adapter failed", exc_info=bug, extra={"notification_id": str(letter.notification_id)})
        outcome = _ambiguous(provider, type(bug).__name__, "the adapter failed on the way")
    tell([(place, outcome)])


def withheld(reason: str) -> Outcome:
    """Say that nothing was called: the person does not want it, has no address, or it cannot be rendered."""
    return Outcome(kind=OutcomeKind.PERMANENT, code="withheld", reason=reason, provider="carillon")


def _ambiguous(provider: Provider, code: str, reason: str) -> Outcome:
    return Outcome(kind=OutcomeKind.AMBIGUOUS, code=code, reason=reason, provider=provider.name, provider_at_fault=True)
