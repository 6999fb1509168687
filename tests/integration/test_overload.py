"""More requests than a database that does not answer can keep."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from functools import partial

import pytest

from functions.ingest import accepting
from functions.ingest.accepting import MOST_WAITING
from shared import serve
from shared.events import BATCH_CONTENT_TYPE
from shared.serve import App
from shared.store import Store
from shared.store.gauges import Gauges
from shared.store.intake import Intake, Kept, NewNotification
from tests.asgi import Answer, call, resources
from tests.contract.listening import eventually
from tests.world import TENANT

FLUSHES = 2
"""So many sets are on their way to the database at once; what they hold waits no more."""

TOO_MANY = 10
DATA = {"message": "hello"}
EVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order_shipped", "subject": "1", "data": DATA}


class SilentIntake(Intake):
    """An intake whose database does not answer until it is back."""

    back: asyncio.Event
    asked = 0

    async def keep(self, notifications: Sequence[NewNotification]) -> list[tuple[Kept, str]]:
        """Wait for it, then keep them."""
        self.asked += 1
        await self.back.wait()
        return await super().keep(notifications)

    def was_asked(self, times: int) -> bool:
        """Tell whether so many sets have reached it."""
        return self.asked == times


class SilentGauges(Gauges):
    """Figures that cannot be read either."""

    back: asyncio.Event

    async def backlog(self) -> int:
        """Wait for it, then read."""
        await self.back.wait()
        return await super().backlog()


def post(app: App) -> asyncio.Task[Answer]:
    document = {"event_type": "order_shipped", "user_id": 1, "data": DATA}
    headers = {"content-type": "application/json"}
    return asyncio.create_task(call(app, "POST", "/events", json.dumps(document).encode(), headers))


async def test_beyond_what_may_wait_for_the_database_a_request_is_refused_at_once_and_those_that_wait_are_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "BACKLOG_CACHE_SECONDS", float("inf"))  # one request asks, however long all take
    intake, gauges, back = SilentIntake(store.database), SilentGauges(store.database), asyncio.Event()
    intake.back = gauges.back = back
    store.intake, store.gauges = intake, gauges
    app = serve.build("ingest", resources(store))
    under_way = [post(app)]  # it asks for the backlog
    for flush in range(1, FLUSHES + 1):
        under_way.append(post(app))
        await eventually(partial(intake.was_asked, flush))

    waiting = [post(app) for _ in range(MOST_WAITING + TOO_MANY)]
    await eventually(lambda: sum(one.done() for one in waiting) >= TOO_MANY)
    batch = await call(app, "POST", "/events", json.dumps([EVENT]).encode(), {"content-type": BATCH_CONTENT_TYPE})
    refused = [one.result() for one in waiting if one.done()]
    asked_meanwhile = intake.asked
    back.set()
    answers = await asyncio.gather(*under_way, *waiting)
    await app.drain()

    for answer in (*refused, batch):
        assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json")
        assert int(answer.headers["retry-after"]) >= 1
    assert (len(refused), asked_meanwhile) == (TOO_MANY, FLUSHES)
    accepted = [answer for answer in answers if answer.status == 202]
    assert len(accepted) == len({answer.document["id"] for answer in accepted}) == 1 + FLUSHES + MOST_WAITING
    assert await store.views.counts(TENANT) == {"pending": 1 + FLUSHES + MOST_WAITING}
