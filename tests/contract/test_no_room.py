"""Commands for whose calls there is no room, over both stores: they wait at the broker, not here for ever."""

from __future__ import annotations

import asyncio
from importlib import import_module

import pytest

from shared.step.answers import DONE, LATER
from tests.contract.framed import event_for, frame_around
from tests.contract.stage import Stage
from tests.fakes import HoldingBroker, ScriptedProvider

DELIVERY = import_module("shared.step.delivery")
"""The module: in its package a function has the same name."""


async def test_what_finds_no_room_in_time_comes_again_and_what_has_its_place_is_done(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DELIVERY, "PATIENCE_SECONDS", 0.05)
    provider, told = ScriptedProvider(), list[tuple[int, int]]()
    provider.calls_at_once, provider.gate = 1, asyncio.Event()
    frame = frame_around(provider, stage, HoldingBroker())
    first, second = [event_for(await stage.route(number)) for number in (1, 2)]

    taking = asyncio.create_task(frame.take([first, second], told.extend))
    async with asyncio.timeout(10):
        while not told:  # noqa: ASYNC110 - of another task
            await asyncio.sleep(0.01)
    given_back = list(told)
    provider.gate.set()

    assert given_back == [(1, LATER)]
    assert await taking == [DONE, LATER]
    assert await frame.take([second]) == [DONE]
    assert len(provider.letters) == 2
    await frame.drain()


async def test_a_place_that_comes_free_after_that_is_nobodys(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DELIVERY, "PATIENCE_SECONDS", 0.05)
    provider = ScriptedProvider()
    provider.calls_at_once, provider.gate = 1, asyncio.Event()
    frame = frame_around(provider, stage, HoldingBroker())
    events = [event_for(await stage.route(number)) for number in range(4)]

    holding = asyncio.create_task(frame.take([events[0]]))
    async with asyncio.timeout(10):
        while not provider.letters:  # noqa: ASYNC110 - of another task
            await asyncio.sleep(0.01)
    given_up = [await frame.take([event]) for event in events[1:]]
    provider.gate.set()
    await holding

    assert given_up == [[LATER]] * 3
    assert [await frame.take([event]) for event in events[1:]] == [[DONE]] * 3
    await frame.drain()
