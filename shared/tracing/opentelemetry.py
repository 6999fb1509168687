"""Spans by OpenTelemetry, sent as OTLP over HTTP. Imported only where traces are asked for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace import Span as OpenSpan
from opentelemetry.trace.propagation import set_span_in_context

from shared.settings import Settings
from shared.tracing import Attempt, Kind, Span
from shared.version import VERSION

EXPORT_SECONDS = 10
CLOSE_SECONDS = 5.0
MOST_WAITING, LARGEST_BATCH = 8_192, 512
"""What is beyond is dropped: traces are never in anybody's way."""

_KINDS = {Kind.SERVER: SpanKind.SERVER, Kind.CONSUMER: SpanKind.CONSUMER, Kind.CLIENT: SpanKind.CLIENT}


class OneSpan:
    """A span that is recorded, or only passes the trace on."""

    def __init__(self, span: OpenSpan) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        """How whatever follows from it names it."""
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def note(self, **about: str | int) -> None:
        """Add what became known."""
        for name, value in about.items():
            self._span.set_attribute(f"carillon.{name}", value)

    def end(self, failure: str = "") -> None:
        """End it."""
        if failure:
            self._span.set_status(Status(StatusCode.ERROR, failure))
        self._span.end()


class OpenTelemetry:
    """The traces of one process: sampled where they begin, by the parent's word everywhere else."""

    def __init__(self, settings: Settings) -> None:
        self.under_way: dict[Attempt, Span] = {}
        resource = Resource(
            {
                "service.name": settings.otel_service_name,
                "service.version": VERSION,
                "service.instance.id": f"{os.getpid()}",
            }
        )
        sampler = ParentBased(TraceIdRatioBased(settings.otel_traces_sampler_arg))
        self._provider = TracerProvider(
            sampler=sampler, resource=resource, shutdown_on_exit=False, span_limits=SpanLimits()
        )
        exporter = OTLPSpanExporter(
            endpoint=f"{(settings.otel_exporter_otlp_endpoint or '').rstrip('/')}/v1/traces",
            headers=_headers(settings),
            timeout=EXPORT_SECONDS,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=MOST_WAITING,
                max_export_batch_size=LARGEST_BATCH,
                schedule_delay_millis=1_000,
                export_timeout_millis=EXPORT_SECONDS * 1_000,
            )
        )
        self._tracer = self._provider.get_tracer("carillon", VERSION)

    def begin(self, name: str, parent: str | None, kind: Kind, **about: str | int) -> Span:
        """Begin a span under a parent, or a trace of its own."""
        attributes = {f"carillon.{key}": value for key, value in about.items()}
        return OneSpan(
            self._tracer.start_span(name, context=_context(parent), kind=_KINDS[kind], attributes=attributes)
        )

    async def close(self) -> None:
        """Send what is not sent yet, with a deadline: who collects may be away."""
        loop, is_sent = asyncio.get_running_loop(), asyncio.Event()

        def send() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(is_sent.set)

        threading.Thread(target=send, daemon=True).start()  # one of the loop's own threads would hold up the end
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(is_sent.wait(), CLOSE_SECONDS)


def _context(parent: str | None) -> Context:
    if parent is None:
        return Context()
    _, trace, span, flags = parent.split("-")
    known = SpanContext(int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return set_span_in_context(NonRecordingSpan(known), Context())


def _headers(settings: Settings) -> dict[str, str]:
    said = settings.otel_exporter_otlp_headers
    pairs: Sequence[str] = said.get_secret_value().split(",") if said else ()
    return {name.strip(): value.strip() for name, _, value in (pair.partition("=") for pair in pairs) if name.strip()}
