"""The load generator, a process of its own: `python -m infrastructure.bench.load ORDER`.

It prepares every request, says `ready`, and then does what it is told, a line at a time: `go` sends them and says how
many were accepted, `tell` prints what was seen as one line of JSON. It ends with its standard input.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from infrastructure.bench.client import Posting, now
from infrastructure.bench.matching import ACCEPTED, Answers
from infrastructure.bench.pace import ClosedLoop, OpenLoop
from infrastructure.bench.parcels import MAIL, Parcels

SILENCE_SECONDS = 30.0
"""Nothing answered for so long: what is under way is given up as cut off."""

LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to post, and how: at a rate if there is one, else over so many connections as fast as they answer."""

    host: str
    port: int
    run: str
    count: int
    users: int
    connections: int
    rate: float | None = None
    channels: Sequence[str] = (MAIL,)
    key: str | None = None

    @property
    def parcels(self) -> Parcels:
        """The parcels to post."""
        channels = tuple(self.channels)
        return Parcels(run=self.run, count=self.count, users=self.users, channels=channels, key=self.key)

    def text(self) -> str:
        """Write it as an argument."""
        return json.dumps(asdict(self))


async def post(order: Order, requests: list[bytes], silence_seconds: float = SILENCE_SECONDS) -> Answers:
    """Post all of it, or as much as is answered before a long silence, or before whoever wants to know is gone."""
    posting = Posting(order.host, order.port, requests)
    loop = OpenLoop(posting, order.rate) if order.rate else ClosedLoop(posting, order.connections)
    loop.start()
    parent, ended, moved = os.getppid(), 0, now()
    while not posting.over.done() and now() - moved < silence_seconds and os.getppid() == parent:
        await asyncio.wait([posting.over], timeout=LOOK_SECONDS)
        if posting.ended != ended:
            ended, moved = posting.ended, now()
    await posting.close()
    return Answers(
        due=posting.due,
        sent=posting.sent,
        answered=posting.answered,
        statuses=posting.statuses,
        ids=[identify(body) if status == ACCEPTED else "" for status, body in _pairs(posting)],
    )


def _pairs(posting: Posting) -> list[tuple[int, bytes]]:
    return list(zip(posting.statuses, posting.bodies, strict=True))


def identify(body: bytes) -> str:
    """Read the id in an answer; empty if there is none."""
    try:
        return str(json.loads(body)["id"])
    except (ValueError, KeyError, TypeError):
        return ""


def main(argument: str) -> None:
    """Do as told."""
    import uvloop

    order = Order(**json.loads(argument))
    requests = [order.parcels.request(number) for number in range(order.count)]
    gc.freeze()
    gc.disable()  # a pause of ours would be measured as one of theirs; what a run makes is bounded
    print("ready", flush=True)
    answers = None
    for line in sys.stdin:
        if line.strip() == "go":
            answers = uvloop.run(post(order, requests))
            print(sum(status == ACCEPTED for status in answers.statuses), flush=True)
        elif answers:
            print(json.dumps(asdict(answers)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
