"""The calls. Each is made again when the API is away or busy, as often as patience allows; none is done twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import aiohttp

from infrastructure.client.documents import Accepted, Event, Notification
from infrastructure.client.patience import AGAIN, Patience
from infrastructure.client.problems import Problem, RequestRefused, ServiceUnavailable, StillUnderWay
from shared.events import BATCH_CONTENT_TYPE
from shared.operations import JSON
from shared.retry_after import read_retry_after
from shared.version import VERSION

CALL_SECONDS = 30.0
LOOK_EVERY_SECONDS = 0.25
PATIENT = Patience()
NOT_OURS = "What answers there redirects, or speaks no JSON. Is the address right?"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    method: str
    path: str
    body: bytes | None = None
    media_type: str = JSON
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    document: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class _Again:
    why: str
    asked_seconds: float | None = None


class Carillon:
    """One Carillon, as its clients see it. Use it with `async with`, in one event loop."""

    def __init__(self, url: str, *, key: str = "", patience: Patience = PATIENT) -> None:
        self._url = url.rstrip("/")
        self._headers = {"User-Agent": f"carillon-python/{VERSION}", **({"X-API-Key": key} if key else {})}
        self._patience = patience
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Carillon:
        self._session = aiohttp.ClientSession(
            headers=self._headers, timeout=aiohttp.ClientTimeout(total=CALL_SECONDS), raise_for_status=False
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, event: Event, *, idempotency_key: str | None = None) -> Accepted:
        """Post one event. Give a key of your own where this very event may be sent again by another call.

        Raises:
            RequestRefused: it is not kept, and why; with `problem.field`.
            ServiceUnavailable: it is not known whether it is kept.
        """
        headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
        call = _Call(method="POST", path="/events", body=_json(event.as_document()), headers=headers)
        return _accepted(await self._ask(call))

    async def send_all(
        self, events: Sequence[Event], *, keys: Sequence[str] | None = None, source: str = "carillon-python"
    ) -> list[Accepted | Problem]:
        """Post several events in one request; return for each, in order, that it is kept or why not.

        Raises:
            RequestRefused: the request as a whole is refused, such as for its size.
            ServiceUnavailable: it is not known which are kept.
        """
        names = keys if keys is not None else [str(uuid4()) for _ in events]
        batch = [event.as_cloud_event(key, source) for event, key in zip(events, names, strict=True)]
        call = _Call(method="POST", path="/events", body=_json(batch), media_type=BATCH_CONTENT_TYPE)
        results = (await self._ask(call))["results"]
        return [_problem(one["problem"]) if "problem" in one else _accepted(one) for one in results]

    async def status(self, notification_id: str) -> Notification:
        """Ask what became of a notification.

        Raises:
            RequestRefused: 404, there is none with this id.
        """
        path = f"/api/v1/notifications/{quote(notification_id, safe='')}"
        return Notification.of(await self._ask(_Call(method="GET", path=path)))

    async def wait_for(self, notification_id: str, *, timeout_seconds: float = 60.0, status: str = "") -> Notification:
        """Ask until it has ended, or has one certain status.

        Raises:
            StillUnderWay: it has not, in that time.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                while True:
                    found = await self.status(notification_id)
                    if found.status == status or (not status and found.has_ended):
                        return found
                    await self._patience.pause(LOOK_EVERY_SECONDS)
        except TimeoutError:
            raise StillUnderWay(f"{notification_id} after {timeout_seconds:g} s") from None

    async def cancel(self, notification_id: str) -> str:
        """Call a notification back; return where it stands: `cancelled`, or what it is on the way there.

        Raises:
            RequestRefused: 404, there is none with this id; 409, it is too late, and why.
        """
        path = f"/api/v1/notifications/{quote(notification_id, safe='')}/cancel"
        return str((await self._ask(_Call(method="POST", path=path)))["status"])

    async def notifications(self, **filters: str | int) -> AsyncIterator[Notification]:
        """List notifications, the newest first, page after page: `user_id`, `status`, `channel`, `event_type`, ...

        Raises:
            RequestRefused: 422, a filter is wrong, with `problem.field`.
        """
        cursor: str | None = ""
        while cursor is not None:
            query = urlencode({**filters, **({"cursor": cursor} if cursor else {})})
            page = await self._ask(_Call(method="GET", path=f"/api/v1/notifications?{query}"))
            for one in page["notifications"]:
                yield Notification.of(one)
            cursor = page["next_cursor"]

    async def request(self, method: str, path: str, document: object = None) -> Any:
        """Call any other operation of the specification, by method and path; one that may be repeated.

        Raises:
            RequestRefused: why it is not done.
            ServiceUnavailable: it is not known whether it is done.
        """
        body = None if document is None else _json(document)
        return await self._ask(_Call(method=method, path=path, body=body))

    async def _ask(self, call: _Call) -> Any:
        """Make a call until it is answered for good."""
        last = _Again(why="nobody answered")
        try:
            async with asyncio.timeout(self._patience.seconds):
                for repetition in count(1):
                    answer = await self._once(call)
                    if not isinstance(answer, _Again):
                        return answer.document
                    last = answer
                    await self._patience.pause(self._patience.wait_seconds(repetition, last.asked_seconds))
        except TimeoutError:
            pass
        raise ServiceUnavailable(f"{call.method} {call.path}, for {self._patience.seconds:g} s: {last.why}")

    async def _once(self, call: _Call) -> _Answer | _Again:
        assert self._session is not None, "use the client with `async with`"
        headers = {**(call.headers or {}), **({"Content-Type": call.media_type} if call.body is not None else {})}
        # A redirect would carry the key to somebody else.
        asking = self._session.request(
            call.method, self._url + call.path, data=call.body, headers=headers, allow_redirects=False
        )
        try:
            async with asking as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as failure:
            return _Again(why=type(failure).__name__)
        document = _read(body)
        if answer.status < 300 and (document is not None or not body):
            return _Answer(document=document)
        if answer.status < 400:
            raise RequestRefused(Problem(status=answer.status, title="This is no Carillon", detail=NOT_OURS))
        problem = Problem.of(answer.status, document)
        if answer.status not in AGAIN:
            raise RequestRefused(problem)
        asked_seconds = read_retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
        return _Again(why=str(problem), asked_seconds=asked_seconds)


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


def _read(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def _accepted(document: Mapping[str, Any]) -> Accepted:
    return Accepted(id=str(document["id"]), status=str(document["status"]))


def _problem(document: Mapping[str, Any]) -> Problem:
    return Problem.of(int(document.get("status", 400)), document)
