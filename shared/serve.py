"""Make an ASGI app of a function's folder: its own routes, and /health, /health/ready and /metrics on every one.

A triggered step runs on functions-framework's asyncio app, mounted in ours: the framework parses one CloudEvent as
Knative sends it; a batch from the local sources enters the same frame without it (docs/decisions). Of the framework's
answers only 200 and 503 leave this app: its 400 page repeats headers and body (measured).
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import json
import logging
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Literal, Protocol

from functions_framework import aio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.batches import read_batch
from shared.events import BATCH_CONTENT_TYPE, Garbled
from shared.front import Front, RequestCounts, watching
from shared.logs import undisturbed
from shared.runtime import Resources
from shared.step import DONE, LATER, Api, Frame, Step
from shared.step.gathering import Gathering
from shared.step.handed import Parcel
from shared.step.target import FRAME
from shared.step.traced import TracedWork

LARGEST_EVENT_BYTES = 1_048_576
"""What is longer is kept up to here, as garbage: no step of ours writes such a thing."""

Kind = Literal["cloudevents", "http"]

LARGEST_BATCH_BYTES = 16 * LARGEST_EVENT_BYTES
"""A source sends a few hundred events of some hundred bytes."""

log = logging.getLogger(__name__)


class App(Protocol):
    """A function as an ASGI app, over resources that are open."""

    name: str
    kind: Kind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

    async def start(self) -> None:
        """Begin what runs beside the requests."""

    async def dismiss(self) -> None:
        """Let those go whose requests would not end by themselves."""

    async def drain(self) -> None:
        """Finish what is held, take no more."""


def build(name: str, resources: Resources) -> App:
    """Make the app of the function with this name.

    Raises:
        LookupError: there is no such function.
    """
    module = load(name)
    definition: Step | Api = module.FUNCTION
    if isinstance(definition, Step):
        return StepApp(definition, module, resources)
    return ApiApp(definition, resources)


def load(name: str) -> ModuleType:
    """Import the folder of a function.

    Raises:
        LookupError: there is no such function.
    """
    path = f"functions.{name.replace('-', '_')}.main"
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as missing:
        if missing.name and path.startswith(missing.name):
            raise LookupError(f"there is no function {name!r}") from None
        raise


class ApiApp:
    """A function that clients call."""

    kind: Kind = "http"

    def __init__(self, definition: Api, resources: Resources) -> None:
        self.name = definition.name
        self._work = definition.open(resources)
        self._app = Front(
            self._work.exact, [*watching(resources), *self._work.routes], RequestCounts(self.name, resources.metrics)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)

    async def start(self) -> None:
        """Begin what runs beside the requests."""
        await self._work.start()

    async def dismiss(self) -> None:
        """Let those go who would stay."""
        await self._work.dismiss()

    async def drain(self) -> None:
        """Finish what is held."""
        await self._work.close()


class StepApp:
    """A triggered step."""

    kind: Kind = "cloudevents"

    def __init__(self, definition: Step, module: ModuleType, resources: Resources) -> None:
        self.name = definition.name
        work = definition.open(resources)
        if resources.tracing:
            work = TracedWork(definition.name, work, resources.tracing)
        self._frame = Frame(definition.name, definition.takes, work, resources)
        self._gathering = Gathering(self._frame)
        self._framework = framework_app(module.__name__)
        routes = [*watching(resources), Mount("/", app=self._elsewhere)]
        self._app = Front({("POST", "/"): self._take}, routes, RequestCounts(self.name, resources.metrics))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)

    async def start(self) -> None:
        """Nothing runs beside the events."""

    async def dismiss(self) -> None:
        """Every event ends by itself."""

    async def drain(self) -> None:
        """Finish what is held, and answer 503 from now on."""
        await self._frame.drain()

    async def _elsewhere(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take an event at any other path too, as functions-framework does."""
        request = Request(scope, receive)
        if request.method == "POST":
            response = await self._take(request)
        else:
            response = Response(status_code=405, headers={"Allow": "POST"})
        await response(scope, receive, send)

    async def _take(self, request: Request) -> Response:
        is_batch = request.headers.get("content-type", "").startswith(BATCH_CONTENT_TYPE)
        body, is_whole = await _read(request, LARGEST_BATCH_BYTES if is_batch else LARGEST_EVENT_BYTES)
        if is_batch and is_whole:
            items = read_batch(body)
            return BatchAnswer(self._frame, items) if items is not None else await self._keep(body, "no batch")
        if not is_whole:
            return await self._keep(body, "longer than any event of ours")
        return await self._through_framework(request.scope, body)

    async def _through_framework(self, scope: Scope, body: bytes) -> Response:
        FRAME.set(self._gathering)
        answer = await ask(self._framework, scope, body)
        if answer.status_code in (200, LATER):
            return answer
        if answer.status_code == 400:
            return await self._keep(body, "no CloudEvent of ours")
        log.error("the framework answered unexpectedly", extra={"function": self.name, "status": answer.status_code})
        return Response(status_code=LATER, headers={"Retry-After": "1"})

    async def _keep(self, body: bytes, reason: str) -> Response:
        answers = await self._frame.take([Garbled(body, reason)])
        headers = None if answers[0] == DONE else {"Retry-After": "1"}
        return Response(status_code=answers[0], headers=headers)


class BatchAnswer(Response):
    """The answers to a batch: the number of its events in a line, then lines of `[[place, status], ...]` as they end.

    A slow event holds up the answer to no other one (docs/decisions/0010-answers-as-they-end.md).
    """

    media_type = "application/x-ndjson"

    def __init__(self, frame: Frame, items: Sequence[Parcel]) -> None:
        super().__init__(headers={"content-type": self.media_type})
        del self.headers["content-length"]
        self._frame = frame
        self._items = items

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Work on the batch and send its answers."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": b"%d\n" % len(self._items), "more_body": True})
        given: list[tuple[int, int]] = []
        is_given = asyncio.Event()

        def told(answers: Sequence[tuple[int, int]]) -> None:
            given.extend(answers)
            is_given.set()

        work = asyncio.ensure_future(self._frame.take(self._items, told))
        work.add_done_callback(lambda _: is_given.set())
        try:
            while not work.done() or given:
                await is_given.wait()
                is_given.clear()
                if given:
                    line = json.dumps(given).encode() + b"\n"
                    given.clear()
                    await send({"type": "http.response.body", "body": line, "more_body": True})
            await work
        finally:
            work.cancel()
        await send({"type": "http.response.body", "body": b""})


@functools.cache
def framework_app(module_name: str) -> ASGIApp:
    """Make functions-framework's app of a module that is imported already: from the source it would run twice."""
    module = importlib.import_module(module_name)
    target = module_name.split(".")[-2]
    make: Callable[..., ASGIApp] = aio.create_asgi_app_from_module
    with undisturbed():
        return make(target, module.__file__, "cloudevent", module, None)


async def ask(app: ASGIApp, scope: Scope, body: bytes) -> Response:
    """Call an ASGI app with a body that was read already, and keep its answer."""
    answer = Response()
    requests = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return requests.pop() if requests else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status_code = message["status"]
            retry = [value for name, value in message.get("headers", ()) if name.lower() == b"retry-after"]
            if retry:
                answer.headers["Retry-After"] = retry[0].decode("latin-1")

    await app({**scope, "path": "/", "raw_path": b"/", "root_path": ""}, receive, send)
    return answer


async def _read(request: Request, max_bytes: int) -> tuple[bytes, bool]:
    """Read a body up to a limit; return it, and whether that is all of it."""
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            return b"".join(chunks)[:LARGEST_EVENT_BYTES], False
    return b"".join(chunks), True
