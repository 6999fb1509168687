"""Many events in sets: each is answered for itself, whatever the set is answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infrastructure.cli.event_lines import BrokenLine, EventLine, Line
from infrastructure.cli.sending_many import SET_BYTES, Answered, Bulk
from infrastructure.client import Problem, RequestRefused, ServiceUnavailable


class Intake:
    """An intake that refuses a set with a poisoned event as a whole, and is away from the set with a certain one on."""

    def __init__(self, poisoned: int | None = None, away_from: int | None = None, status: int = 413) -> None:
        self.sets: list[list[int]] = []
        self._poisoned, self._away_from, self._status = poisoned, away_from, status

    async def request(self, method: str, path: str, documents: list[dict[str, Any]]) -> dict[str, Any]:
        numbers = [one["user_id"] for one in documents]
        self.sets.append(numbers)
        if self._away_from in numbers:
            raise ServiceUnavailable("away")
        if self._poisoned in numbers:
            raise RequestRefused(Problem(status=self._status, title="Refused"))
        return {"results": [{"id": f"n{number}", "status": "pending"} for number in numbers]}


def lines(count: int, *, words: str = "hi") -> Iterator[Line]:
    for number in range(1, count + 1):
        document = {"user_id": number, "data": {"message": words}}
        yield EventLine(number=number, key=f"k{number}", document=document)


def bulk(intake: Intake, told: list[Answered], set_size: int = 10, at_once: int = 1) -> Bulk:
    return Bulk(intake, told.append, set_size=set_size, at_once=at_once)  # type: ignore[arg-type]


async def test_every_line_is_told_once() -> None:
    intake, told = Intake(), list[Answered]()

    summary = await bulk(intake, told, at_once=3).post(lines(25))

    assert sorted(one.line.number for one in told) == list(range(1, 26))
    assert sorted(map(len, intake.sets)) == [5, 10, 10]
    assert (summary.kept, summary.rejected, summary.done_through, summary.failure) == (25, 0, 25, None)


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_set_that_is_refused_as_a_whole_costs_only_the_one_that_it_is_refused_for(status: int) -> None:
    told: list[Answered] = []

    summary = await bulk(Intake(poisoned=7, status=status), told).post(lines(10))

    assert [one.line.number for one in told if one.problem] == [7]
    assert (summary.kept, summary.rejected) == (9, 1)


async def test_a_key_that_is_refused_ends_it_and_is_no_lines_fault() -> None:
    told: list[Answered] = []

    summary = await bulk(Intake(poisoned=7, status=403), told).post(lines(30))

    assert isinstance(summary.failure, RequestRefused)
    assert told == []


async def test_an_intake_that_goes_away_ends_it_and_what_is_done_is_known() -> None:
    told: list[Answered] = []

    summary = await bulk(Intake(away_from=25), told).post(lines(100))

    assert isinstance(summary.failure, ServiceUnavailable)
    assert (summary.kept, summary.done_through) == (20, 20)


async def test_a_set_is_never_larger_than_a_request_may_be() -> None:
    intake = Intake()

    await bulk(intake, [], set_size=1000).post(lines(5, words="x" * (SET_BYTES // 2)))

    assert [len(one) for one in intake.sets] == [1] * 5


async def test_what_an_earlier_run_has_sent_is_counted_apart() -> None:
    class Known(Intake):
        async def request(self, method: str, path: str, documents: list[dict[str, Any]]) -> dict[str, Any]:
            return {"results": [{"id": "n", "status": "sent"} for _ in documents]}

    summary = await bulk(Known(), []).post(lines(3))

    assert (summary.kept, summary.known) == (3, 3)


async def test_a_line_that_cannot_be_read_is_rejected_without_being_asked_about() -> None:
    intake, told = Intake(), list[Answered]()

    summary = await bulk(intake, told).post(iter([BrokenLine(number=1, why="it is no JSON", text="x")]))

    assert intake.sets == []
    assert (summary.rejected, told[0].rejection()["text"]) == (1, "x")
