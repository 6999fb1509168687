"""Settlements wait for one another, not for ever, and not when many wait."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from shared.broker import Received, rabbit_desk
from shared.broker.rabbit_channel import OpenChannel
from shared.broker.rabbit_desk import Desk
from shared.broker.rabbit_frames import Delivery

PREFETCH = 40


class Line:
    """A channel, as far as a desk sees it."""

    is_open = True

    def __init__(self) -> None:
        self.raw = self
        self.said: list[tuple[Any, ...]] = []

    def basic_ack(self, tag: int, *, multiple: bool = False) -> None:
        self.said.append(("ack", tag, multiple))

    def basic_reject(self, tag: int, *, requeue: bool) -> None:
        self.said.append(("reject", tag, requeue))


@pytest.fixture
def line() -> Line:
    return Line()


async def received(line: Line, count: int) -> tuple[Desk, list[Received]]:
    """Have so many messages in hand."""
    arrived: list[Received] = []

    def note(messages: Sequence[Received]) -> None:
        arrived.extend(messages)

    desk = Desk("q", cast(OpenChannel, line), note, PREFETCH)
    for tag in range(1, count + 1):
        desk.take(Delivery(tag, redelivered=False, message_id=str(tag), content_type="x", body=b"{}"))
    await asyncio.sleep(0)
    return desk, arrived


async def test_what_is_settled_one_after_the_other_is_told_once(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbit_desk, "TELLING_SECONDS", 0.005)
    desk, messages = await received(line, 4)

    for message in messages[:3]:
        message.acknowledge()
        await asyncio.sleep(0)
    told_at_once = list(line.said)
    messages[3].reject()
    async with asyncio.timeout(5):
        await desk.is_empty.wait()

    assert told_at_once == []
    assert line.said == [("reject", 4, False), ("ack", 3, True)]


async def test_a_quarter_of_what_may_be_in_hand_does_not_wait(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbit_desk, "TELLING_SECONDS", 3600.0)
    _, messages = await received(line, PREFETCH)

    for message in messages[: PREFETCH // 4 - 1]:
        message.acknowledge()
    await asyncio.sleep(0)
    before = list(line.said)
    messages[PREFETCH // 4 - 1].acknowledge()
    await asyncio.sleep(0)

    assert before == []
    assert line.said == [("ack", PREFETCH // 4, True)]


async def test_what_is_settled_after_many_waits_anew_and_is_told(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbit_desk, "TELLING_SECONDS", 0.005)
    desk, messages = await received(line, PREFETCH)

    for message in messages[:-1]:
        message.acknowledge()
    await asyncio.sleep(0)
    messages[-1].acknowledge()
    async with asyncio.timeout(5):
        await desk.is_empty.wait()

    assert line.said == [("ack", PREFETCH - 1, True), ("ack", PREFETCH, True)]


async def test_at_the_end_nothing_waits(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbit_desk, "TELLING_SECONDS", 3600.0)
    desk, messages = await received(line, 2)

    messages[0].acknowledge()
    desk.flush()

    assert line.said == [("ack", 1, True)]
    assert not desk.is_empty.is_set()
