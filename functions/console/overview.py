"""How it is going, over HTTP: however many ask, one look at a tenant in two seconds answers all of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from functions.console.minutes import Minute, Minutes
from functions.console.overview_documents import (
    ChannelDocument,
    ChannelMinute,
    InFlight,
    MinuteDocument,
    OldestDocument,
    OpenLetters,
    OverviewDocument,
    ProviderDocument,
    StuckDocument,
)
from functions.console.overview_operations import GET_OVERVIEW
from shared.access import Caller
from shared.operations import Operation
from shared.provider_names import NamedLine, channel_of, named_lines
from shared.runtime import Resources
from shared.statuses import Channel, NotificationStatus, OutcomeKind
from shared.step import Handler
from shared.store.breakers import Breaker
from shared.store.overview import Look, Overview

FRESH_SECONDS = 2.0
MOST_TENANTS = 100
"""So many half hours are kept in memory; who comes back after that costs one longer look."""
OUTCOME_MINUTES = 15

Lines = Mapping[Channel, Sequence[NamedLine]]


class Watched:
    """One tenant that somebody watches: its half hour, and the answer while it is fresh."""

    def __init__(self) -> None:
        self.minutes = Minutes()
        self.answer = b""
        self.fresh_until = float("-inf")
        self.looking: asyncio.Task[bytes] | None = None


class Overviews:
    """The tenants that are watched in this process."""

    def __init__(self, store: Overview, lines: Lines, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._lines = lines
        self._clock = clock
        self._watched: OrderedDict[str, Watched] = OrderedDict()

    async def get(self, tenant: str) -> bytes:
        """Answer with what is fresh, else with the look that is under way, else look."""
        watched = self._watched.setdefault(tenant, Watched())
        self._watched.move_to_end(tenant)
        if len(self._watched) > MOST_TENANTS:
            self._watched.popitem(last=False)
        if watched.fresh_until > self._clock():
            return watched.answer
        if watched.looking is None or watched.looking.done():
            watched.looking = asyncio.create_task(self._look(tenant, watched))
            watched.looking.add_done_callback(_heard)
        return await asyncio.shield(watched.looking)  # who leaves does not take it away from the others

    async def _look(self, tenant: str, watched: Watched) -> bytes:
        began_at = self._clock()
        look = await self._store.look(tenant, watched.minutes.known_until)
        watched.minutes.take(look)
        watched.answer = overview_of(look, watched.minutes, self._lines).model_dump_json().encode()
        watched.fresh_until = began_at + FRESH_SECONDS
        return watched.answer


def overview_handlers(resources: Resources) -> dict[Operation, Handler]:
    """Say who does what."""
    overviews = Overviews(resources.store.overview, named_lines(resources.settings))

    async def get(request: Request, caller: Caller) -> Response:
        body = await overviews.get(caller.tenant)
        return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})

    return {GET_OVERVIEW: get}


def overview_of(look: Look, minutes: Minutes, lines: Lines) -> OverviewDocument:
    """Write what was looked at."""
    by_status = {NotificationStatus(status): int(count) for status, count in sorted(look.rows["under_way"])}
    return OverviewDocument(
        at=look.now,
        minutes=[_minute(at, one, lines) for at, one in minutes.between(look.now)],
        in_flight=InFlight(total=sum(by_status.values()), by_status=by_status),
        oldest=_oldest(look),
        channels=list(_channels(look, minutes, lines)),
        stuck=[StuckDocument.model_validate(one, from_attributes=True) for one in look.stuck],
        dead_letters=OpenLetters(open=look.rows["letters"][0][0]),
    )


def _minute(at: datetime, minute: Minute, lines: Lines) -> MinuteDocument:
    seen = {channel for channel, _ in minute.channels}
    counted = minute.channels
    return MinuteDocument(
        at=at,
        accepted=minute.accepted,
        failed=minute.failed,
        channels={
            channel: ChannelMinute(
                sent=counted[channel, "sent"],
                delivered=counted[channel, "delivered"],
                failed=counted[channel, "failed"],
            )
            for channel in Channel
            if channel in lines or channel in seen
        },
    )


def _oldest(look: Look) -> OldestDocument | None:
    for key, status, created_at in look.rows["oldest"]:
        age = max(0.0, (look.now - created_at).total_seconds())
        return OldestDocument(id=key, status=status, created_at=created_at, age_seconds=age)
    return None


def _channels(look: Look, minutes: Minutes, lines: Lines) -> Iterator[ChannelDocument]:
    """Go through the channels with every provider that is set, was asked lately, or has a breaker that is not clean."""
    outcomes: Counter[tuple[Channel, str, str]] = Counter()
    for _, minute in minutes.between(look.now, OUTCOME_MINUTES):
        outcomes.update(minute.outcomes)
    asked = {(channel, provider) for channel, provider, _ in outcomes}
    known = {(channel, line.name) for channel, named in lines.items() for line in named} | asked
    known |= {(channel_of(name), name) for name in look.breakers.keys() - {name for _, name in known}}
    for channel in Channel:
        names = sorted(name for at, name in known if at is channel)
        if names or channel in lines:
            providers = [_provider(channel, name, look.breakers.get(name, CLEAN), outcomes) for name in names]
            yield ChannelDocument(channel=channel, providers=providers)


CLEAN = Breaker()


def _provider(
    channel: Channel, name: str, breaker: Breaker, outcomes: Mapping[tuple[Channel, str, str], int]
) -> ProviderDocument:
    return ProviderDocument(
        provider=name,
        state=breaker.state,
        until=breaker.until,
        failures=breaker.failures,
        outcomes={kind: outcomes.get((channel, name, kind.value), 0) for kind in OutcomeKind},
    )


def _heard(looking: asyncio.Task[bytes]) -> None:
    """Hear of a failure that nobody has waited for."""
    if not looking.cancelled():
        looking.exception()
