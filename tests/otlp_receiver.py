"""A collector for the tests: it takes spans as OTLP over HTTP, and keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A span as it arrived."""

    name: str
    trace: str
    span: str
    parent: str
    about: dict[str, str]
    is_failure: bool


@dataclass
class Collector:
    """What arrived, and what was shown with it."""

    url: str = ""
    spans: list[Seen] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        """Take a batch."""
        self.shown.append(request.headers.get("x-collector-key", ""))
        batch = ExportTraceServiceRequest.FromString(await request.read())
        for resource in batch.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    about = {one.key: one.value.string_value or str(one.value.int_value) for one in span.attributes}
                    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                    trace, own, parent = ids
                    is_failure = span.status.code == 2
                    self.spans.append(
                        Seen(name=span.name, trace=trace, span=own, parent=parent, about=about, is_failure=is_failure)
                    )
        return web.Response(content_type="application/x-protobuf", body=b"")

    def of(self, trace: str) -> list[Seen]:
        """List the spans of one trace."""
        return [span for span in self.spans if span.trace == trace]

    async def until(self, trace: str, *names: str) -> list[Seen]:
        """Wait until a trace has spans of all these names."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not set(names) <= {span.name for span in self.of(trace)}:  # noqa: ASYNC110 - another process sends
                await asyncio.sleep(0.1)
        return self.of(trace)


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    """Run one."""
    found = Collector()
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/v1/traces", found.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    found.url = f"http://127.0.0.1:{port}"
    yield found
    await runner.cleanup()
