from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from infrastructure.local import manifests
from infrastructure.local.records import Manifests, QueueSource, Service
from infrastructure.local.running_sources import Sources
from infrastructure.local.sources import QueueRunner
from infrastructure.local.targets import NO_ANSWER, Told
from shared.broker.protocol import Broker, OnMessages, Subscription
from shared.errors import SettingMissing
from shared.events import write_bundle


class Letterbox:
    """A message in hand, and what became of it."""

    def __init__(self, name: str, body: bytes | None = None, content_type: str = "application/cloudevents+json"):
        self.queue, self.message_id, self.content_type, self.redelivered = "q", name, content_type, False
        self.body = event(name) if body is None else body
        self.fate = "held"

    def acknowledge(self) -> None:
        self.fate = "acknowledged"

    def reject(self) -> None:
        self.fate = "rejected"


class OneQueue:
    """A broker with one queue, which hands over what it is given."""

    def __init__(self) -> None:
        self.prefetch, self.priority, self.is_consumed, self.queues = 0, 0, False, list[str]()

    async def subscribe(self, queue: str, on_messages: OnMessages, prefetch: int, *, priority: int = 0) -> Subscription:
        self.hand_over, self.prefetch, self.priority, self.is_consumed = on_messages, prefetch, priority, True
        self.queues.append(queue)
        return cast(Subscription, self)

    async def cancel(self) -> None:
        self.is_consumed = False


class Answers:
    """A function that gives each event its answers in turn, the last one for ever, when it is let."""

    together = 1

    def __init__(self, *answers: int, **by_id: list[int]) -> None:
        self.answers, self.by_id = list(answers) or [204], by_id
        self.calls: list[list[str]] = []
        self.alone: list[bool] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def deliver(self, bodies: Sequence[bytes], told: Told | None = None, *, alone: bool = False) -> list[int]:
        names = [re.sub(rb'.*"id": ?"(.*?)".*', rb"\1", body).decode() for body in bodies]
        self.calls.append(names)
        self.alone.append(alone)
        await self.may_answer.wait()
        queues = [self.by_id.get(name, self.answers) for name in names]
        return [queue.pop(0) if len(queue) > 1 else queue[0] for queue in queues]


def event(name: str) -> bytes:
    return json.dumps({"specversion": "1.0", "id": name, "source": "test", "type": "test", "data": {"n": 1}}).encode()


def source(**changes: Any) -> QueueSource:
    settings: dict[str, Any] = {"name": "s", "queue": "q", "service": "f", "parallelism": 10, "backoff_seconds": 0.0005}
    return QueueSource(**settings | changes)


async def running(target: Any, **changes: Any) -> tuple[QueueRunner, OneQueue]:
    broker = OneQueue()
    runner = QueueRunner(source(**changes), cast(Broker, broker), target)
    await runner.start()
    return runner, broker


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - a poll with a deadline
            await asyncio.sleep(0)


async def turns() -> None:
    """Let everything go on that waits for nothing."""
    for _ in range(10):
        await asyncio.sleep(0)


def settled(*messages: Letterbox) -> Callable[[], bool]:
    return lambda: all(message.fate != "held" for message in messages)


@pytest.mark.parametrize(
    ("status", "fate", "calls"),
    [
        (200, "acknowledged", 1),
        (202, "acknowledged", 1),
        (204, "acknowledged", 1),
        *((status, "rejected", 3) for status in (404, 413, 425, 429, 502, 503, 504, NO_ANSWER)),
        *((status, "rejected", 1) for status in (301, 302, 400, 401, 403, 408, 409, 410, 422, 500, 501)),
    ],
)
async def test_an_answer_means_to_a_message_what_it_means_on_knative(status: int, fate: str, calls: int) -> None:
    target = Answers(status)
    runner, broker = await running(target, retry=2)
    message = Letterbox("a")

    broker.hand_over([message])
    await until(settled(message))
    await runner.stop()

    assert message.fate == fate
    assert len(target.calls) == calls


async def test_a_function_that_was_away_for_a_moment_gets_the_same_event_again() -> None:
    target = Answers(503, NO_ANSWER, 204)
    runner, broker = await running(target, retry=2)
    message = Letterbox("a")

    broker.hand_over([message])
    await until(settled(message))
    await runner.stop()

    assert message.fate == "acknowledged"
    assert target.calls == [["a"], ["a"], ["a"]]


async def test_each_event_of_a_batch_is_settled_by_its_own_answer() -> None:
    target = Answers(a=[204], b=[503, 204], c=[400], d=[503])
    runner, broker = await running(target, retry=1)
    messages = [Letterbox(name) for name in "abcd"]

    broker.hand_over(messages)
    await until(settled(*messages))
    await runner.stop()

    assert [message.fate for message in messages] == ["acknowledged", "acknowledged", "rejected", "rejected"]
    assert target.calls == [["a", "b", "c", "d"], ["b", "d"]]


async def test_a_batch_under_way_does_not_hold_up_the_next_one() -> None:
    target = Answers()
    target.may_answer.clear()
    runner, broker = await running(target)

    broker.hand_over([Letterbox("a"), Letterbox("b")])
    broker.hand_over([Letterbox("c")])
    await until(lambda: len(target.calls) == 2)

    assert target.calls == [["a", "b"], ["c"]]
    target.may_answer.set()
    await runner.stop()


async def test_no_more_events_are_in_hand_than_parallelism_says() -> None:
    target = Answers()
    target.may_answer.clear()
    runner, broker = await running(target, parallelism=3)
    messages = [Letterbox(str(number)) for number in range(5)]

    broker.hand_over(messages)
    await until(lambda: bool(target.calls))
    taken_at_first = list(target.calls)
    target.may_answer.set()
    await until(settled(*messages))
    await runner.stop()

    assert taken_at_first == [["0", "1", "2"]]
    assert target.calls == [["0", "1", "2"], ["3", "4"]]


@pytest.mark.parametrize(("parallelism", "prefetch"), [(1, 100), (100, 100), (300, 300)])
async def test_as_much_is_fetched_ahead_as_the_adapter_fetches(parallelism: int, prefetch: int) -> None:
    runner, broker = await running(Answers(), parallelism=parallelism)

    await runner.stop()

    assert broker.prefetch == prefetch


async def test_one_that_shares_a_queue_fetches_as_it_is_told() -> None:
    runner, broker = await running(Answers(), parallelism=300, prefetch=7, priority=-1)

    await runner.stop()

    assert (broker.prefetch, broker.priority) == (7, -1)


async def test_a_function_that_takes_batches_has_two_of_them_in_hand_and_no_more_requests_than_parallelism() -> None:
    target = Answers()
    target.together = 200
    target.may_answer.clear()
    runner, broker = await running(target, parallelism=2)
    messages = [Letterbox(str(number)) for number in range(500)]

    for message in messages[:2]:  # one by one: each is a request
        broker.hand_over([message])
        await until(lambda: bool(target.calls))
    broker.hand_over(messages[2:])
    await turns()
    taken_at_first = [len(call) for call in target.calls]
    target.may_answer.set()
    await until(settled(*messages))
    await runner.stop()

    assert broker.prefetch == 400
    assert taken_at_first == [1, 1]
    assert [len(call) for call in target.calls[2:]] == [200, 200, 98]


async def test_events_in_bundles_take_as_much_room_as_alone() -> None:
    target = Answers()
    target.together = 200
    target.may_answer.clear()
    runner, broker = await running(target, parallelism=2)  # room for 400 events
    messages = [Letterbox(f"b{number}", write_bundle(f"b{number}", [event("m")] * 90)) for number in range(7)]

    broker.hand_over(messages)
    await turns()
    taken_at_first = [len(call) for call in target.calls]
    target.may_answer.set()
    await until(settled(*messages))
    await runner.stop()

    assert taken_at_first == [2, 2]
    assert [len(call) for call in target.calls] == [2, 2, 2, 1]
    assert runner._in_hand == 0


async def test_a_bundle_that_is_larger_than_a_batch_goes_alone() -> None:
    target = Answers()
    target.together = 200
    runner, broker = await running(target)
    messages = [Letterbox("a"), Letterbox("many", write_bundle("many", [event("m")] * 300)), Letterbox("b")]

    broker.hand_over(messages)
    await until(settled(*messages))
    await runner.stop()

    assert [len(call) for call in target.calls] == [1, 1, 1]


async def test_what_only_looks_like_a_bundle_counts_as_one_event() -> None:
    target = Answers()
    target.together = 200
    runner, broker = await running(target)
    bodies = [b'{"type":"carillon.bundle"%b}' % more for more in (b"", b',"data":[1]', b',"data":{"members":{}}')]
    messages = [Letterbox("x", body) for body in bodies]

    broker.hand_over(messages)
    await until(settled(*messages))
    await runner.stop()

    assert [len(call) for call in target.calls] == [3]


async def test_a_body_that_is_evidently_no_event_travels_alone() -> None:
    target = Answers()
    runner, broker = await running(target)
    messages = [Letterbox("a"), Letterbox("x", b'{"half": }'), Letterbox("b"), Letterbox("c")]

    broker.hand_over(messages)
    await until(settled(*messages))
    await runner.stop()

    assert [len(call) for call in target.calls] == [1, 1, 2]
    assert target.alone == [False, True, False]


async def test_a_message_that_is_no_cloud_event_arrives_wrapped_and_whole() -> None:
    bodies: list[bytes] = []

    class Keeps:
        together = 1

        async def deliver(self, sent: Sequence[bytes], told: Told | None = None, *, alone: bool = False) -> list[int]:
            bodies.extend(sent)
            return [204] * len(sent)

    runner, broker = await running(Keeps())
    message = Letterbox("m-1", b"\xff\x00", content_type="image/png")

    broker.hand_over([message])
    await until(settled(message))
    await runner.stop()

    wrapped = json.loads(bodies[0])
    assert (wrapped["type"], wrapped["id"]) == ("dev.knative.rabbitmq.event", "m-1")
    assert wrapped["data_base64"] == "/wA="


async def test_stopping_finishes_what_is_under_way_and_leaves_the_rest_to_the_broker() -> None:
    target = Answers()
    target.may_answer.clear()
    runner, broker = await running(target, parallelism=1)
    under_way, waiting = Letterbox("a"), Letterbox("b")
    broker.hand_over([under_way, waiting])
    await until(lambda: bool(target.calls))

    stopping = asyncio.create_task(runner.stop())
    await until(lambda: not broker.is_consumed)
    target.may_answer.set()
    await stopping

    assert (under_way.fate, waiting.fate) == ("acknowledged", "held")
    assert target.calls == [["a"]]


async def test_stopping_does_not_wait_for_a_retry_and_does_not_reject_it() -> None:
    target = Answers(503)
    runner, broker = await running(target, retry=3, backoff_seconds=600)
    message = Letterbox("a")
    broker.hand_over([message])
    await until(lambda: bool(target.calls))

    await runner.stop()

    assert message.fate == "held"


async def test_stopping_waits_only_so_long_for_a_function_that_hangs() -> None:
    target = Answers()
    target.may_answer.clear()
    runner, broker = await running(target)
    message = Letterbox("a")
    broker.hand_over([message])
    await until(lambda: bool(target.calls))

    await runner.stop(drain_seconds=0.01)

    assert message.fate == "held"


async def test_a_step_whose_source_was_deleted_is_not_run(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(manifests.DEFAULT_FOLDER, tmp_path / "knative"))
    (folder / "sources" / "saga-commands-email.yaml").unlink()
    known = manifests.read(folder)
    broker = OneQueue()
    sources = Sources(known, cast(Broker, broker), dict.fromkeys(known.services, Answers()))

    await sources.start()
    await sources.stop()

    assert "events.main" in broker.queues
    assert "saga.commands.email" not in broker.queues


def test_a_source_whose_function_has_no_address_is_told_at_the_start() -> None:
    known = Manifests(services={"f": Service(name="f")}, queue_sources=(source(),))

    with pytest.raises(SettingMissing, match="no address for f"):
        Sources(known, cast(Broker, OneQueue()), {})
