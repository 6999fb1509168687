from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from infrastructure.local import dispatcher, manifests
from infrastructure.local.addresses import Addresses
from infrastructure.local.broker_ingress import Carried, carried
from infrastructure.local.connector import run_sources
from infrastructure.local.knative_broker import KnativeBroker, check
from infrastructure.local.manifests import DEFAULT_FOLDER
from infrastructure.local.records import Delivery, Manifests, Trigger
from infrastructure.local.targets import NO_ANSWER, Headers
from infrastructure.local.up import up
from shared.broker.topology import WORK_QUEUES
from shared.errors import SettingMissing
from shared.settings import Settings

OVERLAY = DEFAULT_FOLDER.parent / "overlays" / "broker"
SLOW = 60.0
WITHOUT_A_PROVIDER = {"database_url": "postgresql://nowhere/none", "channels": "email"}
"""So that what is not refused for the Broker is refused for that, and starts nothing."""


class Function:
    """A function that gives its answers in turn, the last one for ever, when it is let."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers) or [204]
        self.got: list[dict[str, str]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    @property
    def ids(self) -> list[str]:
        return [headers["ce-id"] for headers in self.got]

    async def post(self, headers: Headers, body: bytes) -> int:
        self.got.append(dict(headers))
        await self.may_answer.wait()
        if not self.answers[0]:
            raise ValueError("a bug")
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def event(name: str = "1", **attributes: Any) -> Carried:
    document = {"specversion": "1.0", "id": name, "source": "test", "type": "test", **attributes}
    return carried({"content-type": "application/cloudevents+json"}, json.dumps(document).encode())


def trigger(name: str = "t", attributes: dict[str, str] | None = None, **changes: Any) -> Trigger:
    delivery: dict[str, Any] = {
        "retry": 2,
        "backoff_policy": "linear",
        "backoff_seconds": 0.0005,
        "timeout_seconds": SLOW,
        "dead_letter_service": "sweep",
    }
    known = {key: changes.pop(key) for key in list(changes) if key in delivery}
    settings: dict[str, Any] = {"service": "f", "namespace": "ns", "parallelism": 10, **changes}
    return Trigger(name=name, attributes=attributes or {}, delivery=Delivery(**delivery | known), **settings)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - a poll with a deadline
            await asyncio.sleep(0)


class World:
    """A Broker that delivers to a function and to a sweep."""

    def __init__(self, stack: AsyncExitStack, *triggers: Trigger) -> None:
        self.stack = stack
        self.function, self.sweep = Function(), Function()
        self.broker = KnativeBroker(triggers)

    async def start(self) -> None:
        await self.broker.deliver({"f": self.function, "sweep": self.sweep}, self.stack)


@pytest.mark.parametrize("status", [200, 202, 204, 301, 304, 400, 401, 403, 410, 413, 422, 425])
async def test_an_event_that_is_answered_so_is_done_with_even_if_it_was_refused(status: int) -> None:
    async with AsyncExitStack() as stack:
        world = World(stack, trigger())
        world.function.answers = [status]
        await world.start()
        world.broker.take(event("1"))
        world.broker.take(event("2"))
        await until(lambda: len(world.function.got) == 2)

    assert world.function.ids == ["1", "2"]
    assert world.sweep.got == []


@pytest.mark.parametrize("status", [404, 408, 409, 429, 500, 501, 502, 503, 504, NO_ANSWER])
async def test_an_event_that_is_answered_so_is_tried_again_and_then_the_dead_letter_sink_is_told(status: int) -> None:
    async with AsyncExitStack() as stack:
        world = World(stack, trigger())
        world.function.answers = [status]
        await world.start()
        world.broker.take(event())
        await until(lambda: bool(world.sweep.got))

    assert world.function.ids == ["1", "1", "1"]
    (dead,) = world.sweep.got
    assert dead["ce-id"] == "1"
    assert dead["ce-knativeerrordest"] == "http://f.ns.svc.cluster.local"
    assert dead["ce-knativeerrorcode"] == str(status)


async def test_a_function_that_was_away_for_a_moment_gets_the_same_event_again() -> None:
    async with AsyncExitStack() as stack:
        world = World(stack, trigger())
        world.function.answers = [503, 500, 204]
        await world.start()
        world.broker.take(event())
        await until(lambda: len(world.function.got) == 3)

    assert world.sweep.got == []


@pytest.mark.parametrize(("answers", "timeout_seconds"), [([0], SLOW), ([204], 0.0005)])
async def test_a_bug_and_silence_beyond_the_timeout_are_no_answer(answers: list[int], timeout_seconds: float) -> None:
    async with AsyncExitStack() as stack:
        world = World(stack, trigger(retry=0, timeout_seconds=timeout_seconds))
        world.function.answers = answers
        if timeout_seconds < SLOW:
            world.function.may_answer.clear()
        await world.start()
        world.broker.take(event())
        await until(lambda: bool(world.sweep.got))

    assert world.sweep.got[0]["ce-knativeerrorcode"] == "-1"


async def test_a_dead_letter_that_nobody_takes_is_tried_as_often_and_dropped() -> None:
    async with AsyncExitStack() as stack:
        world = World(stack, trigger())
        world.function.answers, world.sweep.answers = [500], [503]
        await world.start()
        world.broker.take(event())
        await until(lambda: len(world.sweep.got) == 3)
        for _ in range(10):
            await asyncio.sleep(0)

    assert (len(world.function.got), len(world.sweep.got)) == (3, 3)


async def test_without_a_dead_letter_sink_it_is_dropped_at_once() -> None:
    async with AsyncExitStack() as stack:
        world = World(stack, trigger(dead_letter_service=None, retry=0), trigger("other", {"x": "y"}))
        world.function.answers = [500, 204]
        await world.start()
        world.broker.take(event("1"))
        world.broker.take(event("2"))
        await until(lambda: len(world.function.got) == 2)

    assert world.sweep.got == []


@pytest.mark.parametrize(
    ("attributes", "comes"),
    [
        ({}, True),
        ({"carillonqueue": "q"}, True),
        ({"carillonqueue": "q", "type": "test"}, True),
        ({"carillonqueue": "Q"}, False),
        ({"carillonqueue": "q", "type": "another"}, False),
        ({"missing": ""}, False),
        ({"n": "7"}, False),
    ],
)
async def test_a_trigger_gets_what_equals_its_filter_in_value_and_type(attributes: dict[str, str], comes: bool) -> None:
    async with AsyncExitStack() as stack:
        world = World(stack, trigger("t", attributes), trigger("last", {"carillonqueue": "last"}))
        await world.start()
        for one in (event("1", carillonqueue="q", n=7), event("2", carillonqueue="last")):
            assert world.broker.take(one), "an event that nobody wants is taken, and gone"
        await until(lambda: "2" in world.function.ids)

    assert ("1" in world.function.ids) is comes


async def test_two_triggers_that_want_an_event_get_one_each() -> None:
    async with AsyncExitStack() as stack:
        world = World(stack, trigger("a"), trigger("b", service="sweep"))
        await world.start()
        world.broker.take(event())
        await until(lambda: bool(world.function.got and world.sweep.got))

    assert (world.function.ids, world.sweep.ids) == (["1"], ["1"])


@pytest.mark.parametrize(("parallelism", "at_once"), [(1, 1), (3, 3), (1000, dispatcher.PREFETCH)])
async def test_no_more_events_are_in_hand_than_parallelism_and_prefetch_allow(parallelism: int, at_once: int) -> None:
    async with AsyncExitStack() as stack:
        world = World(stack, trigger(parallelism=parallelism))
        world.function.may_answer.clear()
        await world.start()
        for number in range(at_once + 5):
            world.broker.take(event(str(number)))
        await until(lambda: len(world.function.got) >= at_once)
        for _ in range(10):
            await asyncio.sleep(0)
        taken_at_first = len(world.function.got)
        world.function.may_answer.set()
        await until(lambda: len(world.function.got) == at_once + 5)

    assert taken_at_first == at_once


async def test_events_that_come_before_the_functions_are_there_wait_for_them() -> None:
    async with AsyncExitStack() as stack:
        world = World(stack, trigger())
        world.broker.take(event())
        await world.start()
        await until(lambda: bool(world.function.got))

    assert world.function.ids == ["1"]


async def test_a_full_queue_takes_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "LONGEST_QUEUE", 2)
    broker = KnativeBroker([trigger("full", {"type": "test"}), trigger("also")])

    assert [broker.take(event()) for _ in range(3)] == [True, True, False]


async def test_what_is_under_way_is_finished_at_the_end_and_nothing_is_begun() -> None:
    async with AsyncExitStack() as stack:
        world = World(stack, trigger(parallelism=1))
        world.function.may_answer.clear()
        await world.start()
        world.broker.take(event("1"))
        world.broker.take(event("2"))
        await until(lambda: bool(world.function.got))
        asyncio.get_running_loop().call_soon(world.function.may_answer.set)

    assert world.function.ids == ["1"]
    assert len(world.function.got) == 1


async def test_who_waits_to_try_again_does_not_hold_up_the_end() -> None:
    async with AsyncExitStack() as stack:
        world = World(stack, trigger(backoff_seconds=SLOW))
        world.function.answers = [503]
        await world.start()
        world.broker.take(event("1"))
        await until(lambda: bool(world.function.got))

    assert world.function.ids == ["1"]


@pytest.mark.parametrize(
    ("broker", "settings", "options", "why"),
    [
        ("carillon", {"amqp_url": "amqp://localhost"}, {}, "AMQP_URL is set, and these manifests have the Broker"),
        ("carillon", {"k_sink": "http://elsewhere"}, {}, "K_SINK is set, and is the address"),
        ("carillon", {}, {"workers": 2}, "--workers"),
        ("carillon", {}, {"batch": True}, "--batch"),
        (None, {"k_sink": "http://elsewhere"}, {}, "have no Broker"),
    ],
)
def test_what_does_not_go_together_is_told_at_the_start(
    broker: str | None, settings: dict[str, str], options: dict[str, Any], why: str
) -> None:
    with pytest.raises(SettingMissing, match=why):
        check(Settings.model_validate(settings), Manifests(broker=broker), **options)


@pytest.mark.parametrize(
    ("broker", "settings"), [("carillon", {}), (None, {}), (None, {"amqp_url": "amqp://localhost"})]
)
def test_what_goes_together_is_let_pass(broker: str | None, settings: dict[str, str]) -> None:
    check(Settings.model_validate(settings), Manifests(broker=broker), workers=1)


async def test_a_step_whose_trigger_was_deleted_is_not_run(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(DEFAULT_FOLDER.parent, tmp_path / "knative")) / "overlays" / "broker"
    (copy / "triggers" / "saga-commands-email.yaml").unlink()
    known = manifests.read(copy)
    functions = {name: Function() for name in known.services}
    broker = KnativeBroker(known.triggers)

    async with AsyncExitStack() as stack:
        await broker.deliver(functions, stack)
        for queue in WORK_QUEUES:
            assert broker.take(event(carillonqueue=queue))
        await until(lambda: bool(functions["compensate"].got))

    assert functions["deliver-email"].got == []
    assert [len(functions[name].got) for name in ("orchestrate", "deliver-sms", "push-ws")] == [2, 1, 1]


async def test_carillon_does_not_start_on_a_broker_beside_rabbitmq() -> None:
    with pytest.raises(SettingMissing, match="AMQP_URL is set"):
        await up(Settings.model_validate(WITHOUT_A_PROVIDER | {"amqp_url": "amqp://localhost"}), folder=OVERLAY)


async def test_the_sources_alone_do_not_run_a_broker() -> None:
    with pytest.raises(SettingMissing, match="`carillon up` runs it"):
        await run_sources(Settings(), Addresses(), batch=False, folder=OVERLAY)
