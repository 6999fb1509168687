"""The mail sink, a process of its own: `python -m infrastructure.bench.sink OPTIONS`, where OPTIONS are JSON.

It says on which port it listens, and then answers its standard input, a line at a time: `count` (different marks so
far), `tell` (all mails, as one line of JSON), `forget`, `swallow N`. It ends with its standard input.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import Callable
from dataclasses import astuple

from infrastructure.bench.smtp import Session, Sink

LONGEST_GENERATION = 100_000
BACKLOG = 1024


def obey(sink: Sink, line: str) -> str:
    """Do what one line says; return the answer."""
    word, _, argument = line.strip().partition(" ")
    return ORDERS[word](sink, argument)


def _count(sink: Sink, argument: str) -> str:
    return str(len(sink.marks))


def _tell(sink: Sink, argument: str) -> str:
    return json.dumps([astuple(mail) for mail in sink.mails])


def _forget(sink: Sink, argument: str) -> str:
    sink.forget()
    gc.collect()
    return "done"


def _swallow(sink: Sink, argument: str) -> str:
    sink.swallow = int(argument)
    return "done"


ORDERS: dict[str, Callable[[Sink, str], str]] = {
    "count": _count,
    "tell": _tell,
    "forget": _forget,
    "swallow": _swallow,
}


async def serve(sink: Sink) -> None:
    """Take mails until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Session(sink), "127.0.0.1", 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := (await orders.readline()).decode():
        print(obey(sink, line), flush=True)


def main(argument: str) -> None:
    """Serve as asked."""
    import uvloop

    gc.freeze()
    gc.set_threshold(LONGEST_GENERATION)
    uvloop.run(serve(Sink(**json.loads(argument))))


if __name__ == "__main__":
    main(sys.argv[1])
