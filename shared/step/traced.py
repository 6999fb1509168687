"""A step whose hops are seen: a span for each event that is sampled, and one for each call to a provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.events import Event, EventType
from shared.outcomes import Letter, Line, Outcome, Provider, SetProvider, Tell
from shared.step.answers import Conclude, Ended, Work
from shared.tracing import Attempt, Kind, Span, Tracing, is_sampled

AGAIN = "it comes again"


class TracedWork:
    """Some work, with a span around each of its events, from the set that it came in until it is concluded."""

    def __init__(self, name: str, work: Work, tracing: Tracing) -> None:
        self._name = name
        self._work = work
        self._tracing = tracing

    async def __call__(self, events: Sequence[Event], conclude: Conclude) -> None:
        """Work on a set, and end each span when its event is concluded."""
        spans = {place: self._begin(one, events) for place, one in enumerate(events) if is_sampled(one.traceparent)}

        async def end(ended: Sequence[Ended]) -> None:
            await conclude(ended)
            for place, result in ended:
                if place in spans:
                    self._end(events[place], spans.pop(place), result)

        try:
            await self._work(events, end if spans else conclude)
        finally:
            for place, span in spans.items():
                self._end(events[place], span, None)

    async def close(self) -> None:
        """Finish what is under way."""
        await self._work.close()

    def _begin(self, event: Event, events: Sequence[Event]) -> Span:
        span = self._tracing.begin(self._name, event.traceparent, Kind.CONSUMER, **about(event), set_size=len(events))
        if event.type is EventType.DELIVERY_REQUESTED:
            self._tracing.under_way[attempt_of(event)] = span
        return span

    def _end(self, event: Event, span: Span, result: object) -> None:
        if self._tracing.under_way.get(attempt_of(event)) is span:
            del self._tracing.under_way[attempt_of(event)]
        if result is None:
            span.end(AGAIN)
        else:
            span.end(type(result).__name__ if isinstance(result, BaseException) else "")


def about(event: Event) -> Mapping[str, str | int]:
    """Say what an event is about: ids alone."""
    data = event.data
    said: dict[str, str | int] = {"event_id": event.id, "event_type": event.type.value, "tenant": event.tenant}
    if data.notification_id:
        said["notification_id"] = str(data.notification_id)
    if data.channel:
        said |= {"channel": data.channel.value, "attempt": data.attempt, "epoch": data.epoch}
    return said


def attempt_of(event: Event) -> Attempt:
    """Name the attempt that a command asks for."""
    return event.data.channel, event.data.notification_id, event.data.attempt, event.data.epoch


class TracedProvider:
    """A provider whose calls are seen."""

    def __init__(self, provider: Provider, tracing: Tracing) -> None:
        self.name, self.deadline_seconds = provider.name, provider.deadline_seconds
        self.calls_at_once = provider.calls_at_once
        self._provider = provider
        self._tracing = tracing

    async def send(self, letter: Letter) -> Outcome:
        """Make one attempt, inside a span of its own where its event has one."""
        span = self._begin(letter)
        if span is None:
            return await self._provider.send(letter)
        outcome = None
        try:
            outcome = await self._provider.send(letter)
        finally:
            _end(span, outcome)
        return outcome

    async def close(self) -> None:
        """Let go of connections."""
        await self._provider.close()

    def _begin(self, letter: Letter) -> Span | None:
        parent = self._tracing.under_way.get((letter.channel, letter.notification_id, letter.attempt, letter.epoch))
        if parent is None:
            return None
        said = {"notification_id": str(letter.notification_id), "channel": letter.channel.value, "provider": self.name}
        return self._tracing.begin(f"call {self.name}", parent.traceparent, Kind.CLIENT, **said)


class TracedSetProvider(TracedProvider):
    """A provider that carries many letters at once, each of whose calls is seen."""

    def __init__(self, provider: SetProvider, tracing: Tracing) -> None:
        super().__init__(provider, tracing)
        self._carrier = provider

    async def send_set(self, letters: Sequence[Letter], tell: Tell) -> None:
        """Make one attempt for each letter; a span ends when its letter is told."""
        spans = {place: span for place, letter in enumerate(letters) if (span := self._begin(letter)) is not None}

        def end(ended: Sequence[tuple[int, Outcome | None]]) -> None:
            for place, outcome in ended:
                if place in spans:
                    _end(spans.pop(place), outcome)
            tell(ended)

        try:
            await self._carrier.send_set(letters, end if spans else tell)
        finally:
            for span in spans.values():
                _end(span, None)


def _end(span: Span, outcome: Outcome | None) -> None:
    if outcome is None:
        span.end("it was not begun, or nobody knows how it ended")
        return
    span.note(outcome=outcome.kind.value, code=outcome.code)
    span.end(outcome.kind.value if outcome.provider_at_fault else "")


def traced(found: Provider | Sequence[Line], tracing: Tracing) -> Provider | Sequence[Line]:
    """Let the calls of providers be seen."""
    if isinstance(found, Sequence):
        return [Line(provider=_traced(line.provider, tracing), weight=line.weight) for line in found]
    return _traced(found, tracing)


def _traced(provider: Provider, tracing: Tracing) -> Provider:
    return (
        TracedSetProvider(provider, tracing) if isinstance(provider, SetProvider) else TracedProvider(provider, tracing)
    )
