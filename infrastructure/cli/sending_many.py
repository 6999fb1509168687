"""Post many events: in sets, several at once, and each answered for itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from infrastructure.cli.event_lines import BrokenLine, EventLine, Line
from infrastructure.client import Carillon, RequestRefused, ServiceUnavailable

LARGEST_SET = 1000
SET_BYTES = 900_000
"""Below the MiB that the API takes in one request."""

WHOLE = frozenset({400, 413, 415, 422})
"""A set is refused as a whole for what one of them is: so its halves are posted apart."""

NEW = frozenset({"pending", "scheduled", "expanding"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What became of one line: kept, or rejected with a problem."""

    line: Line
    id: str = ""
    status: str = ""
    problem: dict[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """Write it for a script."""
        about: dict[str, Any] = {"line": self.line.number}
        if isinstance(self.line, EventLine):
            about["key"] = self.line.key
        return about | ({"problem": self.problem} if self.problem else {"id": self.id, "status": self.status})

    def rejection(self) -> dict[str, Any]:
        """Write a rejected one, with what it said."""
        said = {"event": self.line.document} if isinstance(self.line, EventLine) else {"text": self.line.text}
        return {**self.document(), **said}


@dataclass(slots=True)
class Summary:
    """How far it has come."""

    kept: int = 0
    known: int = 0
    rejected: int = 0
    done_through: int = 0
    failure: RequestRefused | ServiceUnavailable | None = None


@dataclass(slots=True)
class Bulk:
    """One run. `tell` hears what became of each line, in the order of the answers."""

    carillon: Carillon
    tell: Callable[[Answered], None]
    set_size: int = 200
    at_once: int = 4
    summary: Summary = field(default_factory=Summary)
    _under_way: dict[int, int] = field(default_factory=dict)
    _furthest: int = 0

    async def post(self, lines: Iterator[Line]) -> Summary:
        """Post them all, or as many as can be: what is not answered is in `failure`."""
        sets = enumerate(self._sets(lines))
        await asyncio.gather(*[self._work(sets) for _ in range(self.at_once)])
        return self.summary

    async def _work(self, sets: Iterator[tuple[int, list[EventLine]]]) -> None:
        for number, chosen in sets:
            if self.summary.failure is not None:
                return
            self._under_way[number] = chosen[0].number
            self._furthest = max(self._furthest, chosen[-1].number)
            try:
                await self._post(chosen)
            except (RequestRefused, ServiceUnavailable) as failure:
                self.summary.failure = failure
                return
            del self._under_way[number]
            first_open = min(self._under_way.values(), default=self._furthest + 1)
            self.summary.done_through = max(self.summary.done_through, first_open - 1)

    async def _post(self, chosen: Sequence[EventLine]) -> None:
        try:
            answer = await self.carillon.request("POST", "/events", [dict(line.document) for line in chosen])
        except RequestRefused as refused:
            if refused.problem.status not in WHOLE:
                raise
            if len(chosen) == 1:
                problem = refused.problem
                told = {"status": problem.status, "title": problem.title, "detail": problem.detail}
                self._note(Answered(line=chosen[0], problem=told | ({"field": problem.field} if problem.field else {})))
                return
            middle = len(chosen) // 2
            await self._post(chosen[:middle])
            await self._post(chosen[middle:])
            return
        for line, result in zip(chosen, answer["results"], strict=True):
            key = str(result.get("id") or result.get("fan_out_id") or "")
            self._note(Answered(line=line, id=key, status=str(result.get("status", "")), problem=result.get("problem")))

    def _note(self, answered: Answered) -> None:
        if answered.problem is not None:
            self.summary.rejected += 1
        else:
            self.summary.kept += 1
            self.summary.known += answered.status not in NEW
        self.tell(answered)

    def _sets(self, lines: Iterator[Line]) -> Iterator[list[EventLine]]:
        """Put lines together, as many as go into one request. Broken ones are told at once."""
        chosen: list[EventLine] = []
        size = 0
        for line in lines:
            if isinstance(line, BrokenLine):
                self._note(Answered(line=line, problem={"status": 400, "title": "Not readable", "detail": line.why}))
                continue
            weight = len(json.dumps(line.document)) + 2
            if chosen and (len(chosen) >= self.set_size or size + weight > SET_BYTES):
                yield chosen
                chosen, size = [], 0
            chosen.append(line)
            size += weight
        if chosen:
            yield chosen
