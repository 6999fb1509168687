"""What comes of one letter for several devices: one outcome out of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.outcomes import Outcome
from shared.statuses import OutcomeKind

ORDER = (
    OutcomeKind.ACCEPTED,
    OutcomeKind.AMBIGUOUS,  # a device may have it: whoever must never send twice has to hear of it
    OutcomeKind.THROTTLED,
    OutcomeKind.TRANSIENT,
    OutcomeKind.PERMANENT,
)


def combine(outcomes: Sequence[Outcome]) -> Outcome:
    """Make one outcome out of one or more: of the best kind, and of the longest wait within it."""
    leading = min(outcomes, key=lambda one: (ORDER.index(one.kind), -(one.retry_after_seconds or 0)))
    if len(outcomes) == 1:
        return leading
    dead = tuple(device for outcome in outcomes for device in outcome.dead_devices)
    return replace(leading, reason=_reason(leading, outcomes), dead_devices=dead)


def _reason(leading: Outcome, outcomes: Sequence[Outcome]) -> str:
    count = sum(outcome.kind is OutcomeKind.ACCEPTED for outcome in outcomes)
    told = f"{count} of {len(outcomes)} devices took it"
    return told if count else f"{told}: {leading.reason}"
