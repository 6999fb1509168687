"""The people around: clients that post until they are answered, readers, an operator, and changing wishes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from functions.ingest.accepting import Accepted, FannedOut
from functions.ingest.cancelling import cancel
from functions.ingest.requests import Submission, read
from shared import outbox
from shared.callback_links import Subject
from shared.errors import Refused, Transient
from shared.ids import notification_id
from shared.saga import EventOwed, Receipt
from shared.statuses import Channel
from shared.store.directory import User
from shared.submissions import FanOut, rows_for, write_event
from tests.simulation.history import Acceptance

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

TENANT = "default"
CLIENT_SECONDS = 10.0
"""So long a client waits for an answer before it asks again."""

EMAIL, WEBSOCKET = Channel.EMAIL.value, Channel.WEBSOCKET.value
ROUTES: tuple[Mapping[str, Any], ...] = (
    {},
    {"channels": [EMAIL]},
    {"channels": [EMAIL, WEBSOCKET]},
    {"channels": [WEBSOCKET]},
    {"channels": [WEBSOCKET, EMAIL], "unless_delivered_within_seconds": {WEBSOCKET: 60}},
    {"channels": [EMAIL, WEBSOCKET], "unless_delivered_within_seconds": {EMAIL: 45}},
)
STRATEGIES: tuple[Mapping[str, Any], ...] = (
    {"channels": [EMAIL, WEBSOCKET], "strategy": "all"},
    {"channels": [WEBSOCKET, EMAIL], "strategy": "escalate", "escalate_after_seconds": 45},
    {"channels": [EMAIL, WEBSOCKET], "strategy": "escalate", "escalate_after_seconds": 60},
)
RETRIES: tuple[tuple[float, ...], ...] = ((2, 4, 8), (2, 4, 8), (), (1,), (30, 300))
USERS = {
    "ada": User(id="ada", name="Ada", email="ada@example.test"),
    "bob": User(id="bob", name="Bob", email="bob@example.test"),
    "eve": User(id="eve", name="Eve"),
    "nobody": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What people do in one run, drawn from the seed."""

    posts: tuple[tuple[float, Submission], ...]
    for_many: tuple[tuple[float, FanOut], ...]
    workflows: Mapping[str, Mapping[str, Any]]
    wishes: tuple[tuple[float, str, str, Channel, bool], ...]
    cancellations: tuple[tuple[float, Submission], ...]
    returned: float
    """How likely a mail that was taken comes back."""


def draw_scenario(random: Random, seconds: float, began: datetime) -> Scenario:
    """Draw who posts what, and who wants what."""
    routes = random.choice([ROUTES, ROUTES, STRATEGIES])
    workflows = {f"event_{number}": _draw_workflow(random, routes) for number in range(random.randint(1, 3))}
    posts = []
    for number in range(random.randint(2, 7)):
        user = random.choices(list(USERS), weights=[6, 5, 2, 1])[0]
        post = submission(f"order-{number}", user, random.choice(list(workflows)), random)
        posts.append((random.uniform(0, seconds * random.choice([0.05, 0.5])), post))
    wishes = []
    if random.random() < 0.4:
        for _ in range(random.randint(1, 3)):
            channel = random.choice([Channel.EMAIL, Channel.WEBSOCKET])
            wish = (random.uniform(0, seconds), random.choice(list(USERS)), random.choice(["general", "news", "*"]))
            wishes.append((*wish, channel, random.random() < 0.2))
    posts = _draw_limits(posts, random, began)
    returned = random.choice([0.0, 0.0, 0.5])
    return Scenario(
        posts=tuple(posts),
        for_many=_draw_for_many(posts, seconds),
        workflows=workflows,
        wishes=tuple(wishes),
        cancellations=_draw_cancellations(posts, random),
        returned=returned,
    )


def _draw_cancellations(posts: list[tuple[float, Submission]], random: Random) -> tuple[tuple[float, Submission], ...]:
    """Let callers regret, at any turn of the saga, and some of them twice."""
    if random.random() < 0.5:
        return ()
    regretted = [random.choice(posts) for _ in range(random.randint(1, 3))]
    return tuple((at + random.choice([0.02, 0.1, 0.3, 1.0, 5.0, 60.0, 300.0]), post) for at, post in regretted)


def _draw_for_many(posts: list[tuple[float, Submission]], seconds: float) -> tuple[tuple[float, FanOut], ...]:
    """Let one event of some runs be for everybody; by a die of its own, so that the others fall as they fell before."""
    random = Random(repr(posts[0][0]))
    if random.random() < 0.6:
        return ()
    key, event_type = random.choice(["to-all", posts[0][1].key]), posts[0][1].event_type
    document = {
        "event_type": event_type,
        "user_ids": random.sample(list(USERS), 4),
        "id": key,
        "data": posts[0][1].data if key == posts[0][1].key else {**posts[0][1].data, "message": "About everybody."},
    }
    (item,) = read({}, json.dumps(document).encode(), tenant=TENANT)
    assert isinstance(item, FanOut)
    return ((random.uniform(0, seconds * 0.5), item),)


def _draw_limits(
    posts: list[tuple[float, Submission]], random: Random, began: datetime
) -> list[tuple[float, Submission]]:
    """Let the events of some runs expire early, and take each other's place."""
    if random.random() < 0.3:
        posts = [(at, replace(post, collapse_key=random.choice(["one", "two", None]))) for at, post in posts]
    if random.random() < 0.1:
        lives = [random.choice([60, 600, 7_200]) for _ in posts]
        posts = [
            (at, replace(post, expires_at=began + timedelta(seconds=at + life)))
            for (at, post), life in zip(posts, lives, strict=True)
        ]
    return posts


def _draw_workflow(random: Random, routes: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    workflow = dict(random.choice(routes))
    workflow["retry_seconds"] = list(random.choice(RETRIES))
    if random.random() < 0.3:
        workflow["on_ambiguous"] = "hold"
    if random.random() < 0.3:
        workflow["category"] = "news"
    return workflow


def submission(key: str, user: str, event_type: str, random: Random) -> Submission:
    """Write an event, and read it as the intake does."""
    data: dict[str, Any] = {"message": f"About {key}."}
    if random.random() < 0.1:
        data["preferred_channel"] = random.choice([EMAIL, WEBSOCKET])
    document = {"event_type": event_type, "user_id": user, "id": key, "data": data}
    (read_event,) = read({}, json.dumps(document).encode(), tenant=TENANT)
    assert isinstance(read_event, Submission)
    return read_event


class People:
    """Everybody around, at work."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self._world, self._scenario = world, scenario
        self._waiting = len(scenario.posts) + len(scenario.for_many)

    @property
    def are_answered(self) -> bool:
        """Tell whether every client has its answer."""
        return self._waiting == 0

    async def settle_in(self) -> None:
        """Write down who lives here, and the rules."""
        directory = self._world.store.directory
        await directory.put_users(TENANT, [user for user in USERS.values() if user is not None])
        for event_type, definition in self._scenario.workflows.items():
            await directory.put_workflow(TENANT, event_type, definition)

    def begin(self) -> None:
        """Let everybody do what they will do."""
        world = self._world
        for at, submission in self._scenario.posts:
            world.after(at, lambda submission=submission: world.spawn(self._post(submission)))  # type: ignore[misc]
        for at, submission in self._scenario.cancellations:
            world.after(at, lambda submission=submission: self._cancel(submission))  # type: ignore[misc]
        for at, item in self._scenario.for_many:
            world.after(at, lambda item=item: world.spawn(self._post_to_many(item)))  # type: ignore[misc]
        for at, *wish in self._scenario.wishes:
            world.after(at, lambda wish=wish: world.spawn(self._change_mind(*wish)))  # type: ignore[misc]
        self._again(self._read_inboxes, 30)
        self._again(self._replay, 60)

    def _again(self, visit: Any, mean_seconds: float) -> None:
        def come() -> None:
            if not self._world.chaos.is_over:
                visit()
                self._again(visit, mean_seconds)

        self._world.after(self._world.random.expovariate(1 / mean_seconds), come)

    async def _post(self, submission: Submission) -> None:
        key = notification_id(TENANT, submission.source, submission.key or "", submission.user_id)
        accepted = await self._ask(submission, key, submission.key, submission.user_id)
        self._world.history.answered[key] = accepted.status
        self._answered()

    async def _post_to_many(self, item: FanOut) -> None:
        accepted = await self._ask(item, item.id, item.event.key, "everybody")
        for row in rows_for(write_event(item.event), item.user_ids):
            self._world.history.answered[row.id] = accepted.status
        self._answered()

    def _answered(self) -> None:
        self._waiting -= 1
        self._world.stirred()

    async def _ask(self, submission: Submission | FanOut, key: UUID, *told: object) -> Accepted | FannedOut:
        world = self._world
        while True:
            answer: asyncio.Future[Accepted | FannedOut] = asyncio.get_running_loop().create_future()
            world.tell("client", "posts", (key,), *told)
            world.one_of("ingest").accept(submission, answer)
            try:
                async with asyncio.timeout(CLIENT_SECONDS):
                    accepted = await answer
                break
            except TimeoutError:
                world.tell("client", "was not answered, and asks again", (key,))
        world.tell("client", "is answered", (key,), accepted.status)
        return accepted

    async def _change_mind(self, user: str, category: str, channel: Channel, enabled: bool) -> None:
        await self._world.store.directory.put_preference(TENANT, user, category, channel, enabled=enabled)

    def _cancel(self, submission: Submission) -> None:
        """Let the caller call it back: as the intake does."""
        key = notification_id(TENANT, submission.source, submission.key or "", submission.user_id)
        process = self._world.one_of("ingest")
        process.arrive(0, lambda: asyncio.create_task(_cancel(process, key)))

    def _read_inboxes(self) -> None:
        """Let somebody read, and their client acknowledge: as the realtime function does."""
        world = self._world
        rows = [row for row in world.memory.inbox.rows.values() if row.retracted_at is None]
        if rows:
            row = world.random.choice(rows)
            process = world.one_of("realtime")
            process.arrive(0, lambda: asyncio.create_task(_acknowledge(process, row.user_id, row.notification_id)))

    def may_return(self, taken: Acceptance) -> None:
        """Let what the provider has taken come back, sometimes before anybody here has written that it was taken."""
        world = self._world
        if not self._scenario.returned or world.random.random() > self._scenario.returned:
            return

        def come_back() -> None:
            process = world.one_of("realtime")
            is_dead = world.random.random() < 0.2
            process.arrive(0, lambda: asyncio.create_task(_report(process, taken, is_dead=is_dead)))

        world.after(world.random.choice([0.01, 0.2, 2.0, 30.0, 200.0]), come_back)

    def _replay(self) -> None:
        """Let an operator start a dead letter over: as the console does."""
        world = self._world
        rows = [row for row in world.memory.dead_letters.rows.values() if row.status == "open" and row.notification_id]
        if rows and world.random.random() < 0.5:
            process, letter = world.one_of("console"), world.random.choice(rows)
            process.arrive(0, lambda: asyncio.create_task(_replay(process, letter.id)))


async def _cancel(process: Process, key: UUID) -> None:
    with suppress(Transient, Refused):  # it cannot now, or it has ended
        await cancel(process.resources, TENANT, key, by="the caller")


async def _acknowledge(process: Process, user_id: str, key: UUID) -> None:
    try:
        noted = await process.resources.store.inbox.acknowledge(TENANT, user_id, [key])
    except Transient:
        return
    messages = [outbox.receipt("realtime", outbox.About(found, TENANT, epoch)) for found, epoch in noted]
    if messages:
        await process.resources.broker.publish(messages)


async def _report(process: Process, taken: Acceptance, *, is_dead: bool) -> None:
    """Take the provider's report: as the callbacks do."""
    key, epoch = taken.notification, taken.epoch
    about = Subject(tenant=TENANT, notification_id=key, channel=taken.channel, epoch=epoch)
    try:
        is_new = await process.resources.store.receipts.keep(about, Receipt.FAILED, "it came back", suppress=is_dead)
    except Transient:
        return
    if is_new:
        await process.resources.broker.publish([outbox.receipt("callbacks", outbox.About(key, TENANT, epoch))])


async def _replay(process: Process, key: UUID) -> None:
    try:
        saga = await process.resources.store.dead_letters.replay(TENANT, key, by="an operator")
    except Transient:
        return
    if saga is not None:
        await process.resources.broker.publish([outbox.write("console", saga, EventOwed())])
