"""Dead letters over HTTP: to find them, to start them over, and to discard them, one or many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.console.letter_documents import LARGEST_SET, DiscardAsked, DiscardsAsked, LetterQuery, ReplayAsked
from functions.console.letter_operations import (
    DISCARD,
    DISCARD_MANY,
    GET_DEAD_LETTER,
    LIST_DEAD_LETTERS,
    REPLAY,
    REPLAY_MANY,
)
from shared import outbox
from shared.access import Caller
from shared.errors import Refused
from shared.operations import Operation
from shared.problems import problem
from shared.queries import read_query, write_cursor
from shared.requests import read_document
from shared.runtime import Resources
from shared.saga import EventOwed, Saga
from shared.step import Handler
from shared.store.dead_letters import Settled

SOURCE = "console"


class LetterRoutes:
    """List, get, replay and discard. What was committed is published afterwards; what that loses the sweep brings."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._letters = resources.store.letters
        self._settling = resources.store.dead_letters

    async def list(self, request: Request, caller: Caller) -> Response:
        """List a page, the newest first."""
        query = read_query(request.query_params, LetterQuery)
        page = await self._letters.page(
            caller.tenant, query.filter(query.status), after=query.cursor, limit=query.limit
        )
        return JSONResponse({"dead_letters": page.found, "next_cursor": write_cursor(page.following)})

    async def get(self, request: Request, caller: Caller) -> Response:
        """Show one."""
        return JSONResponse(await self._get(caller, letter_id(request)))

    async def replay(self, request: Request, caller: Caller) -> Response:
        """Start its saga over, as the next epoch."""
        key = letter_id(request)
        settled = await self._settling.replay_all(caller.tenant, [key], by=caller.name)
        saga = settled.done.get(key)
        if saga is None:
            raise _why_not(settled, key)
        await self._publish([saga])
        return JSONResponse({"id": str(saga.id), "status": saga.status.value, "epoch": saga.epoch}, status_code=202)

    async def replay_many(self, request: Request, caller: Caller) -> Response:
        """Start many over: those with these ids, or the oldest that match."""
        asked = await read_document(request, ReplayAsked)
        wanted = asked.filter.filter("open") if asked.filter else None
        if wanted:
            keys = await self._letters.matching(caller.tenant, wanted, asked.limit or LARGEST_SET)
        else:
            keys = asked.ids or []
        settled = await self._settling.replay_all(caller.tenant, list(dict.fromkeys(keys)), by=caller.name)
        await self._publish([saga for saga in settled.done.values() if saga])
        left = await self._letters.count_matching(caller.tenant, wanted) if wanted else None
        results = _in_order(keys, settled, lambda key: _replayed(key, settled.done[key]))
        return JSONResponse({"results": results, "left": left}, status_code=202)

    async def discard(self, request: Request, caller: Caller) -> Response:
        """Settle one."""
        key, asked = letter_id(request), await read_document(request, DiscardAsked)
        settled = await self._settling.discard_all(caller.tenant, [key], by=caller.name, reason=asked.reason)
        if key not in settled.done:
            raise _why_not(settled, key)
        return JSONResponse(await self._get(caller, key))

    async def discard_many(self, request: Request, caller: Caller) -> Response:
        """Settle many."""
        asked = await read_document(request, DiscardsAsked)
        keys = list(dict.fromkeys(asked.ids))
        settled = await self._settling.discard_all(caller.tenant, keys, by=caller.name, reason=asked.reason)
        results = _in_order(asked.ids, settled, lambda key: {"id": str(key), "status": "discarded"})
        return JSONResponse({"results": results})

    async def _get(self, caller: Caller, key: UUID) -> dict[str, Any]:
        letter = await self._letters.get(caller.tenant, key)
        if letter is None:
            raise unknown_letter()
        return letter

    async def _publish(self, sagas: Sequence[Saga]) -> None:
        if not sagas:
            return
        answers = await self._resources.publish([outbox.write(SOURCE, saga, EventOwed()) for saga in sagas])
        refused = [answer for answer in answers if answer is not None]
        self._resources.metrics.publish_refused.labels(SOURCE).inc(len(refused))


def letter_handlers(resources: Resources) -> dict[Operation, Handler]:
    """Say who does what."""
    letters = LetterRoutes(resources)
    return {
        REPLAY_MANY: letters.replay_many,  # before what takes anything for an id
        DISCARD_MANY: letters.discard_many,
        LIST_DEAD_LETTERS: letters.list,
        GET_DEAD_LETTER: letters.get,
        REPLAY: letters.replay,
        DISCARD: letters.discard,
    }


def letter_id(request: Request) -> UUID:
    """Read which one is meant.

    Raises:
        Refused: 404, it is no id.
    """
    try:
        return UUID(request.path_params["id"])
    except ValueError:
        raise unknown_letter() from None


def unknown_letter() -> Refused:
    """Refuse what is not there."""
    return Refused(404, "Not found", "There is no dead letter with this id.")


def _in_order(keys: Sequence[UUID], settled: Settled, done: Callable[[UUID], dict[str, Any]]) -> list[dict[str, Any]]:
    """Answer each in its place; an id that comes again finds its letter settled."""
    results, seen = [], set()
    for key in keys:
        if key in settled.done and key not in seen:
            results.append(done(key))
        else:
            results.append({"id": str(key), "problem": problem(_why_not(settled, key, was_done=key in seen))})
        seen.add(key)
    return results


def _replayed(key: UUID, saga: Saga | None) -> dict[str, Any]:
    assert saga is not None
    return {
        "id": str(key),
        "notification_id": str(saga.id),
        "status": saga.status.value,
        "epoch": saga.epoch,
    }


def _why_not(settled: Settled, key: UUID, *, was_done: bool = False) -> Refused:
    status = settled.refused.get(key)
    if key in settled.done and was_done:
        return Refused(409, "Not open", "This dead letter is settled already.")
    if status is None:
        return unknown_letter()
    if status == "open":
        return Refused(409, "Not open", "This dead letter holds no notification that can start over.")
    return Refused(409, "Not open", f"This dead letter is {status}.")
