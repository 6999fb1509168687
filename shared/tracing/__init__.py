"""Traces: one for each notification, from its POST to the provider.

What is sampled is decided where the trace begins, and travels in the last two digits of `traceparent`. The trace stands
in the notification's row, so a message that the sweep publishes again belongs to it, too: each hop's span is a child of
the span of the POST (docs/decisions/0039-what-a-trace-shows.md). Without an exporter there are no traces: nothing of
OpenTelemetry is imported, and no event is looked at for it.
"""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from typing import Protocol
from uuid import UUID

from shared.errors import SettingMissing
from shared.settings import Settings
from shared.statuses import Channel

EXTRA = "carillon[tracing]"


class Kind(StrEnum):
    """What a span stands for."""

    SERVER = "server"  # somebody called us
    CONSUMER = "consumer"  # a message was taken
    CLIENT = "client"  # we called somebody


class Span(Protocol):
    """One hop, while it lasts."""

    @property
    def traceparent(self) -> str:
        """How whatever follows from it names it (W3C Trace Context)."""

    def note(self, **about: str | int) -> None:
        """Add what became known: ids, counts and outcomes, never anybody's data."""

    def end(self, failure: str = "") -> None:
        """End it, with the kind of what went wrong, if anything did."""


Attempt = tuple[Channel | None, UUID | None, int, int]
"""What a call to a provider is part of: channel, notification, attempt, epoch."""


class Tracing(Protocol):
    """The traces of one process."""

    under_way: dict[Attempt, Span]

    def begin(self, name: str, parent: str | None, kind: Kind, **about: str | int) -> Span:
        """Begin a span under a parent; without one it is the first of a trace, if the dice say so."""

    async def close(self) -> None:
        """Send what is not sent yet."""


def is_sampled(traceparent: str | None) -> bool:
    """Tell whether whoever began a trace wants it to be seen."""
    return traceparent is not None and bool(int(traceparent[-2:], 16) & 1)


def open_tracing(settings: Settings) -> Tracing | None:
    """Make the tracing that the settings ask for, if they do.

    Raises:
        SettingMissing: they do, and OpenTelemetry is not installed.
    """
    if settings.otel_exporter_otlp_endpoint is None or settings.otel_sdk_disabled:
        return None
    try:
        module = import_module("shared.tracing.opentelemetry")
    except ModuleNotFoundError as missing:
        raise SettingMissing(
            f"OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, which need {missing.name}: pip install '{EXTRA}'"
        ) from None
    tracing: Tracing = module.OpenTelemetry(settings)
    return tracing
