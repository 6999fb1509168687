"""How it is going, of what was looked at: minutes that are over are kept, and many who ask are answered by one look."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from functions.console import overview
from functions.console.minutes import Minutes
from functions.console.overview import Overviews
from shared.errors import DatabaseUnavailable
from shared.provider_names import NamedLine
from shared.statuses import Channel
from shared.store.breakers import Breaker, BreakerState
from shared.store.overview import STATEMENTS, Look, Overview

NOON = datetime(2026, 5, 4, 12, 0, 40, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LINES = {Channel.EMAIL: (NamedLine("smtp"),), Channel.WEBSOCKET: (NamedLine("inbox"),)}


def at(minute: int) -> datetime:
    """So many minutes after noon."""
    return NOON.replace(second=0) + minute * MINUTE


def look(now: datetime, since: datetime, **rows: Any) -> Look:
    found: dict[str, Any] = {**dict.fromkeys(STATEMENTS, ()), "letters": [(0,)], **rows}
    return Look(now=now, since=since, rows=found, stuck=(), breakers=found.get("breakers", {}))


def accepted(minutes: Minutes, now: datetime) -> dict[datetime, int]:
    return {moment: minute.accepted for moment, minute in minutes.between(now) if minute.accepted}


def test_a_minute_that_is_over_is_not_asked_for_again_and_one_that_is_not_is_counted_anew() -> None:
    minutes = Minutes()
    minutes.take(look(NOON, at(-29), accepted=[(at(-1), 5), (at(0), 2)]))

    known_until = minutes.known_until
    minutes.take(look(NOON + timedelta(seconds=2), at(0), accepted=[(at(0), 3)]))

    assert known_until == at(0)
    assert accepted(minutes, NOON) == {at(-1): 5, at(0): 3}


def test_a_minute_is_over_when_what_is_written_late_is_there() -> None:
    minutes = Minutes()

    minutes.take(look(at(1) + timedelta(seconds=29), at(-29)))
    before = minutes.known_until
    minutes.take(look(at(1) + timedelta(seconds=30), at(0)))

    assert (before, minutes.known_until) == (at(0), at(1))


def test_what_was_looked_at_long_ago_is_forgotten() -> None:
    minutes = Minutes()
    minutes.take(look(NOON, at(-29), accepted=[(at(-29), 7), (at(0), 2)]))

    minutes.take(look(NOON + 10 * MINUTE, at(0), accepted=[(at(0), 2), (at(10), 1)]))

    assert accepted(minutes, NOON + 10 * MINUTE) == {at(0): 2, at(10): 1}
    assert len(list(minutes.between(NOON))) == 30
    assert accepted(minutes, NOON) == {at(0): 2}


class CountingStore:
    """A store that says since when it was asked, and can be held up or fail."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, datetime | None]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.failure: Exception | None = None

    async def look(self, tenant: str, known_until: datetime | None = None) -> Look:
        """Look, and find nothing."""
        self.asked.append((tenant, known_until))
        await self.may_answer.wait()
        if self.failure:
            raise self.failure
        return look(NOON, known_until or at(-29))


class Asked:
    """Overviews over such a store, with a clock that is turned by hand."""

    def __init__(self) -> None:
        self.store = CountingStore()
        self.seconds = 0.0
        self.overviews = Overviews(cast(Overview, self.store), LINES, clock=lambda: self.seconds)


@pytest.fixture
def asked() -> Asked:
    return Asked()


async def test_fifty_who_ask_at_once_cost_one_look_and_so_do_those_of_the_next_two_seconds(asked: Asked) -> None:
    asked.store.may_answer.clear()
    asking = [asyncio.create_task(asked.overviews.get("acme")) for _ in range(50)]
    await asyncio.sleep(0)
    asked.store.may_answer.set()

    answers = await asyncio.gather(*asking)
    asked.seconds = 1.9
    again = await asked.overviews.get("acme")

    assert set(answers) == {again}
    assert asked.store.asked == [("acme", None)]


async def test_after_two_seconds_only_what_is_not_over_is_looked_at(asked: Asked) -> None:
    await asked.overviews.get("acme")
    asked.seconds = 2.0

    await asked.overviews.get("acme")

    assert asked.store.asked == [("acme", None), ("acme", at(0))]


async def test_each_tenant_is_looked_at_for_itself(asked: Asked) -> None:
    await asyncio.gather(*[asked.overviews.get(tenant) for tenant in ("acme", "globex", "acme")])

    assert asked.store.asked == [("acme", None), ("globex", None)]


async def test_so_many_tenants_are_remembered_and_no_more(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "MOST_TENANTS", 2)

    for tenant in ("acme", "globex", "initech", "globex", "acme"):
        await asked.overviews.get(tenant)

    assert [tenant for tenant, _ in asked.store.asked] == ["acme", "globex", "initech", "acme"]


async def test_who_leaves_takes_the_look_away_from_nobody(asked: Asked) -> None:
    asked.store.may_answer.clear()
    first, second = (asyncio.create_task(asked.overviews.get("acme")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    asked.store.may_answer.set()

    assert json.loads(await second)["at"] == "2026-05-04T12:00:40Z"
    assert len(asked.store.asked) == 1


async def test_a_look_that_failed_is_no_answer_and_the_next_one_looks_again(asked: Asked) -> None:
    asked.store.failure = DatabaseUnavailable("away")
    with pytest.raises(DatabaseUnavailable):
        await asked.overviews.get("acme")
    asked.store.failure = None

    answer = json.loads(await asked.overviews.get("acme"))

    assert answer["in_flight"] == {"total": 0, "by_status": {}}


def test_a_provider_is_told_with_what_it_answered_in_a_quarter_of_an_hour_and_how_its_breaker_is() -> None:
    now, minutes = NOON, Minutes()
    attempts = [
        (at(-20), "email", "smtp", "accepted", 9),
        (at(-14), "email", "smtp", "accepted", 3),
        (at(0), "email", "smtp", "accepted", 1),
        (at(0), "email", "smtp", "transient", 2),
        (at(0), "email", "backup", "accepted", 4),
        (at(0), "email", "", "permanent", 5),
    ]
    opened = Breaker(state=BreakerState.OPEN, failures=5, wait_seconds=50, until=at(1))
    seen = look(now, at(-29), attempts=attempts, breakers={"smtp": opened, "twilio-sms": opened})
    minutes.take(seen)

    document = overview.overview_of(seen, minutes, LINES).model_dump(mode="json")

    named = {one["channel"]: {p["provider"]: p for p in one["providers"]} for one in document["channels"]}
    assert named.keys() == {"email", "sms", "websocket"}
    assert named["email"].keys() == {"smtp", "backup"}
    smtp = named["email"]["smtp"]
    assert (smtp["state"], smtp["failures"], smtp["until"]) == ("open", 5, "2026-05-04T12:01:00Z")
    assert {kind: count for kind, count in smtp["outcomes"].items() if count} == {"accepted": 4, "transient": 2}
    assert named["email"]["backup"]["state"] == named["websocket"]["inbox"]["state"] == "closed"
    assert document["minutes"][-1]["channels"]["email"] == {"sent": 5, "delivered": 0, "failed": 5}
