"""The way to a sink: one structured CloudEvent in each request, over kept connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from shared.broker import topology
from shared.broker.protocol import Message, PublishRefused
from shared.events import CONTENT_TYPE
from shared.http_call import Fault, Http, Phase, Reply, Silence

CONNECTIONS = 32
"""A request waits for the ingress' own confirm: some milliseconds each, so many at once per process."""

_HEADERS = {"content-type": CONTENT_TYPE}
_QUEUES = (*topology.WORK_QUEUES, topology.PARKING_LOT)


class SinkLine:
    """Connections to a sink."""

    def __init__(self, url: str, extensions: Mapping[str, str], connections: int = CONNECTIONS) -> None:
        self.connections = connections
        self._url = url
        self._http = Http(connections)
        self._heads = {queue: head(queue, extensions) for queue in _QUEUES}

    async def send(self, message: Message, until: float) -> PublishRefused | None:
        """Send one message, until that time on the loop's clock; return why it was not taken."""
        written = self._heads.get(message.queue)
        if written is None:
            return PublishRefused("no such queue")
        body = splice(written, message.body)
        answer = await self._post(body, until)
        if isinstance(answer, Silence) and answer.phase is Phase.SENT and answer.word == Fault.LOST:
            answer = await self._post(body, until)  # a kept connection that the other end closed; it may come twice
        if isinstance(answer, Silence):
            return PublishRefused(f"the sink did not answer: {answer.word}")
        return None if 200 <= answer.status < 300 else PublishRefused(f"the sink answered {answer.status}")

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.close()

    async def _post(self, body: bytes, until: float) -> Reply | Silence:
        if asyncio.get_running_loop().time() >= until:
            return Silence(Phase.WAITING, Fault.TIMEOUT)
        return await self._http.post(self._url, _HEADERS, body, until)


def head(queue: str, extensions: Mapping[str, str]) -> bytes:
    """Write how each event of a queue begins: its queue, and what a SinkBinding adds."""
    return json.dumps({topology.QUEUE_ATTRIBUTE: queue, **extensions}).encode()[:-1]


def splice(written: bytes, body: bytes) -> bytes:
    """Put attributes before those of a structured event, without reading it."""
    rest = body[1:]
    return written + (b"" if rest == b"}" else b",") + rest
