"""Publish what is owed, and count it."""

from __future__ import annotations

from collections.abc import Sequence

from shared.broker import Message, PublishRefused
from shared.runtime import Resources

SOURCE = "sweep"


async def publish(resources: Resources, outgoing: Sequence[Message]) -> list[PublishRefused]:
    """Publish what is owed; return the refusals."""
    answers = await resources.publish(outgoing) if outgoing else []
    refused = [answer for answer in answers if answer is not None]
    resources.metrics.republished.inc(len(outgoing) - len(refused))
    return refused
