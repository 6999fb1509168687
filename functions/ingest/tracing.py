"""The intake, where a trace is looked at: it begins here, or goes on from the caller's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from functions.ingest.accepting import Acceptance, Accepted, Answer, FannedOut
from functions.ingest.requests import Item
from shared.errors import Refused
from shared.runtime import Resources
from shared.submissions import FanOut, Submission
from shared.tracing import Kind, Span, Tracing

NAME = "POST"


class TracedAcceptance(Acceptance):
    """An intake with a span for each event: its name is what the row, and every message after it, carries on."""

    def __init__(self, resources: Resources, tracing: Tracing) -> None:
        super().__init__(resources)
        self._tracing = tracing

    async def accept_one(self, item: Item) -> Accepted | FannedOut:
        """Keep one, inside its span."""
        if isinstance(item, Refused):
            return await super().accept_one(item)
        named, span = self._begin(item)
        try:
            answer = await super().accept_one(named)
        except Exception as failure:
            span.end(type(failure).__name__)
            raise
        _end(span, answer)
        return answer

    async def accept(self, items: Sequence[Item]) -> list[Answer]:
        """Keep a set, each of its events inside a span of its own."""
        begun = [(item, None) if isinstance(item, Refused) else self._begin(item) for item in items]
        try:
            answers = await super().accept([item for item, _ in begun])
        except Exception as failure:
            for _, span in begun:
                if span:
                    span.end(type(failure).__name__)
            raise
        for (_, span), answer in zip(begun, answers, strict=True):
            if span:
                _end(span, answer)
        return answers

    def _begin(self, item: Submission | FanOut) -> tuple[Submission | FanOut, Span]:
        event = item if isinstance(item, Submission) else item.event
        span = self._tracing.begin(NAME, event.traceparent, Kind.SERVER, function="ingest", tenant=event.tenant)
        named = replace(event, traceparent=span.traceparent)
        return (named if isinstance(item, Submission) else replace(item, event=named)), span


def _end(span: Span, answer: Answer) -> None:
    if isinstance(answer, Refused):
        span.end(answer.title)
        return
    span.note(notification_id=str(answer.id), status=answer.status)
    span.end()


def open_acceptance(resources: Resources) -> Acceptance:
    """Make the intake of a process."""
    return TracedAcceptance(resources, resources.tracing) if resources.tracing else Acceptance(resources)
