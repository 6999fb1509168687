"""The load: events posted at a steady rate, whether or not the ones before them were answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.chaos.client import Client, NoAnswer
from tests.chaos.people import EACH, Kind

LONGEST_PAUSE_SECONDS = 4.0
AFTERWARDS = 0.5
"""What is posted beyond the count only keeps something in flight for the strikes that are late: half the rate does."""


@dataclass(slots=True, kw_only=True)
class Posted:
    """One event: how it was posted and what was answered."""

    marker: str
    kind: Kind
    user: str
    id: str = ""
    times: int = 0
    refusal: str = ""


class Load:
    """Posts of one run. Every text carries its marker, by which its mails are found again."""

    def __init__(self, client: Client, kinds: Sequence[Kind], run: str, random: Random) -> None:
        self.posted: list[Posted] = []
        self._client = client
        self._kinds = kinds
        self._run = run
        self._random = random
        self._posting: set[asyncio.Task[None]] = set()
        self._begun = asyncio.Condition()
        self.is_enough = asyncio.Event()
        self.unanswered = 0

    async def run(self, count: int, per_second: float) -> None:
        """Post so many, and go on at half the rate until `is_enough` is set."""
        due_at = time.monotonic()
        while len(self.posted) < count or not self.is_enough.is_set():
            while due_at <= time.monotonic():
                self._post_one()
                due_at += 1 / (per_second if len(self.posted) < count else AFTERWARDS * per_second)
            async with self._begun:
                self._begun.notify_all()
            await asyncio.sleep(max(due_at - time.monotonic(), 0))

    async def until_begun(self, count: int) -> None:
        """Wait until so many were posted."""
        async with self._begun:
            await self._begun.wait_for(lambda: len(self.posted) >= count)

    async def answered(self, seconds: float) -> None:
        """Wait until every post has its answer, or the time is over."""
        if self._posting:
            await asyncio.wait(self._posting, timeout=seconds)

    def give_up(self) -> None:
        """Post no more."""
        for task in self._posting:
            task.cancel()

    def _post_one(self) -> None:
        number = len(self.posted)
        kind = self._random.choices(self._kinds, weights=[kind.weight for kind in self._kinds])[0]
        posted = Posted(marker=f"{self._run}-{number}", kind=kind, user=kind.user(self._random.randrange(EACH)))
        self.posted.append(posted)
        task = asyncio.create_task(self._post(posted))
        self._posting.add(task)
        task.add_done_callback(self._posting.discard)

    async def _post(self, posted: Posted) -> None:
        event = {
            "event_type": posted.kind.event_type,
            "user_id": posted.user,
            "data": {"message": f"Order {posted.marker}. is on its way"},
        }
        headers, pause = {"Idempotency-Key": posted.marker}, 0.2
        self.unanswered += 1
        try:
            while not posted.id and not posted.refusal:
                posted.times += 1
                try:
                    status, answer = await self._client.ask(
                        "ingest", "POST", "/events", document=event, headers=headers
                    )
                except NoAnswer:
                    await asyncio.sleep(pause * (0.5 + self._random.random()))
                    pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                    continue
                if status == 202:
                    posted.id = str(answer["id"])
                else:
                    posted.refusal = f"{status} {answer}"
        finally:
            self.unanswered -= 1
