"""What is traced, what is not, and that without a collector nothing is done for it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from uuid import UUID

import pytest

from shared.errors import SettingMissing
from shared.events import Event, EventType, Reference
from shared.outcomes import Letter, Outcome, SetProvider, Tell
from shared.settings import Settings
from shared.statuses import Channel, OutcomeKind
from shared.step.answers import Conclude, Done, Ended
from shared.step.traced import AGAIN, TracedProvider, TracedSetProvider, TracedWork, traced
from shared.tracing import Kind, is_sampled, open_tracing
from tests.contract.mail_server import letter
from tests.fakes import ScriptedProvider
from tests.traces import SAMPLED, Notes

UNSAMPLED = SAMPLED[:-2] + "00"
KEY = UUID("5b0c2a9e-51f4-5d2f-8a35-2f6f4f1c9d01")


def command(traceparent: str | None, attempt: int = 1) -> Event:
    data = Reference(notification_id=KEY, channel=Channel.EMAIL, attempt=attempt)
    return Event(
        id=f"command-{attempt}", source="/x", type=EventType.DELIVERY_REQUESTED, traceparent=traceparent, data=data
    )


class Scripted:
    """Work whose ends are told beforehand; what is not told is not concluded."""

    def __init__(self, *ends: Done | Exception) -> None:
        self._ends = ends

    async def __call__(self, events: Sequence[Event], conclude: Conclude) -> None:
        await conclude(list(enumerate(self._ends)))

    async def close(self) -> None:
        """Nothing is held."""


async def ignore(ended: Sequence[Ended]) -> None:
    """Publish nothing."""


async def test_an_event_that_is_sampled_has_a_span_that_says_how_it_ended() -> None:
    notes = Notes()
    work = TracedWork("orchestrate", Scripted(Done(), ValueError("Ada")), notes)

    await work([command(SAMPLED), command(SAMPLED, 2), command(SAMPLED, 3), command(UNSAMPLED, 4)], ignore)

    assert [(span.parent, span.ended) for span in notes.spans] == [
        (SAMPLED, [""]),
        (SAMPLED, ["ValueError"]),
        (SAMPLED, [AGAIN]),
    ]
    assert notes.spans[0].about["set_size"] == 4
    assert notes.under_way == {}


@pytest.mark.parametrize("traceparent", [None, UNSAMPLED])
async def test_an_event_that_nobody_samples_costs_nothing_more(traceparent: str | None) -> None:
    notes, seen = Notes(), []

    class Listening(Scripted):
        async def __call__(self, events: Sequence[Event], conclude: Conclude) -> None:
            seen.append(conclude)

    await TracedWork("orchestrate", Listening(), notes)([command(traceparent)], ignore)

    assert notes.spans == []
    assert seen == [ignore]


def about_the_attempt(**more: object) -> Letter:
    said = letter(key=KEY)
    assert (said.channel, said.attempt, said.epoch) == (Channel.EMAIL, 1, 0)
    return said


async def test_a_call_is_a_span_under_the_attempt_that_makes_it() -> None:
    notes = Notes()
    provider = TracedProvider(ScriptedProvider(OutcomeKind.THROTTLED), notes)

    class Calling(Scripted):
        async def __call__(self, events: Sequence[Event], conclude: Conclude) -> None:
            await provider.send(about_the_attempt())

    await TracedWork("deliver-email", Calling(), notes)([command(SAMPLED)], ignore)
    await provider.send(about_the_attempt())

    attempt, call = notes.spans
    assert (call.name, call.parent) == ("call scripted", attempt.traceparent)
    assert (call.about["outcome"], call.ended) == ("throttled", [""])
    assert not any("@" in str(value) for value in call.about.values())


class Carrier(ScriptedProvider):
    """A provider that carries many, and says nothing of the last."""

    async def send_set(self, letters: Sequence[Letter], tell: Tell) -> None:
        """Accept the first."""
        tell([(0, Outcome(kind=OutcomeKind.ACCEPTED, code="250", provider=self.name))])


async def test_of_a_set_each_letter_has_a_span_and_what_is_not_told_is_no_success() -> None:
    notes = Notes()
    notes.under_way[Channel.EMAIL, KEY, 1, 0] = notes.begin("deliver-email", SAMPLED, Kind.CONSUMER)
    provider = traced(Carrier(), notes)
    assert isinstance(provider, TracedSetProvider)
    told: list[object] = []

    await provider.send_set([about_the_attempt(), about_the_attempt()], told.append)

    assert [bool(span.ended[0]) for span in notes.spans[1:]] == [False, True]
    assert len(told) == 1


def test_a_provider_of_letters_one_by_one_is_not_taken_for_one_of_sets() -> None:
    assert not isinstance(traced(ScriptedProvider(), Notes()), SetProvider)


@pytest.mark.parametrize(("traceparent", "expected"), [(None, False), (UNSAMPLED, False), (SAMPLED, True)])
def test_whoever_begins_a_trace_says_whether_it_is_seen(traceparent: str | None, expected: bool) -> None:
    assert is_sampled(traceparent) is expected


def settings(**said: object) -> Settings:
    values: dict[str, object] = {"otel_exporter_otlp_endpoint": "http://127.0.0.1:9", **said}
    return Settings().model_copy(update=values)


@pytest.mark.parametrize("said", [{"otel_exporter_otlp_endpoint": None}, {"otel_sdk_disabled": True}])
def test_without_a_collector_there_are_no_traces(said: dict[str, object]) -> None:
    assert open_tracing(settings(**said)) is None


def test_traces_without_their_packages_are_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*sys.modules]:
        if name.startswith(("opentelemetry", "shared.tracing.opentelemetry")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)

    with pytest.raises(SettingMissing, match=r"pip install 'carillon\[tracing\]'"):
        open_tracing(settings())


@pytest.mark.parametrize(
    ("ratio", "parent", "expected"),
    [(1, None, True), (0, None, False), (0, SAMPLED, True), (1, UNSAMPLED, False)],
)
async def test_a_trace_that_begins_here_is_sampled_by_the_ratio_and_any_other_by_its_parent(
    ratio: float,
    parent: str | None,
    expected: bool,
) -> None:
    tracing = open_tracing(settings(otel_traces_sampler_arg=ratio))
    assert tracing is not None

    span = tracing.begin("POST", parent, Kind.SERVER)

    assert is_sampled(span.traceparent) is expected
    assert parent is None or span.traceparent.split("-")[1] == parent.split("-")[1]
    await tracing.close()
