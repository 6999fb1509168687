"""The harness of the sagas: the real steps over a real Postgres, a broker that holds, and a clock that is turned."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID, uuid4

from functions.compensate.main import FUNCTION as COMPENSATE
from functions.ingest.accepting import Acceptance, Accepted
from functions.ingest.requests import read
from functions.orchestrate.main import FUNCTION as ORCHESTRATE
from functions.push_ws.inbox_provider import InboxProvider
from functions.sweep.main import FUNCTION as SWEEP
from shared import outbox
from shared.broker import Broker, Message, PublishRefused
from shared.broker.topology import COMPENSATIONS, EVENTS, PARKING_LOT, RESULTS, commands
from shared.events import Event, EventType, decode
from shared.outcomes import Line, Provider
from shared.runtime import Resources
from shared.saga import EventOwed, ResultOwed
from shared.settings import Settings
from shared.statuses import TERMINAL, Channel, NotificationStatus, OutcomeKind
from shared.step import Frame, Step, delivery
from shared.store import Store
from shared.store.claims import Claim, Command
from shared.store.directory import User
from tests.fakes import HoldingBroker, ScriptedProvider

EMAIL = Channel.EMAIL
TENANT, USER, ADDRESS = "default", "1", "one@example.test"
MOST_ROUNDS = 100
"""So many sets in a row, and the messages go round in circles."""

_TURN_CLOCK = (
    """UPDATE notifications SET created_at = created_at - %(by)s, expires_at = expires_at - %(by)s,
       send_at = send_at - %(by)s, next_look_at = next_look_at - %(by)s""",
    """UPDATE deliveries SET due_at = due_at - %(by)s, lease_until = lease_until - %(by)s,
       claimed_at = claimed_at - %(by)s, deadline = deadline - %(by)s""",
    "UPDATE attempts SET next_look_at = next_look_at - %(by)s",
    "UPDATE fan_outs SET next_look_at = next_look_at - %(by)s",
    "UPDATE digests SET next_look_at = next_look_at - %(by)s",
    "UPDATE users SET updated_at = updated_at - %(by)s",
    "UPDATE contact_places SET taken_at = taken_at - %(by)s",
    "UPDATE breakers SET opened_until = opened_until - %(by)s, probe_until = probe_until - %(by)s",
)


class RememberingBroker(HoldingBroker):
    """A broker that also remembers what it refused."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[Message] = []

    async def publish(self, messages: Sequence[Message]) -> list[PublishRefused | None]:
        """Keep a set, or refuse and remember it."""
        answers = await super().publish(messages)
        self.refused += [message for message, answer in zip(messages, answers, strict=True) if answer]
        return answers


PATIENCE_SECONDS = 0.5
"""How long a step waits here for a database that is away: there are tests in which it stays away."""


class World:
    """One process with every step, the messages on their way, and the people that they are for.

    E-mail goes through one provider, or through several lines.
    """

    def __init__(
        self,
        store: Store,
        *,
        email: Provider | Sequence[Line] | None = None,
        websocket: Provider | None = None,
        **others: Provider,
    ) -> None:
        self.store = store
        self.broker = RememberingBroker()
        self.email = email or ScriptedProvider()
        self.websocket = websocket
        self.others = {Channel(name): provider for name, provider in others.items()}
        channels = ",".join([Channel.EMAIL, Channel.WEBSOCKET, *self.others])
        settings = Settings(api_keys=None, host="127.0.0.1", intake_backlog_max=100_000, channels=channels)
        self.resources = Resources(settings=settings, store=store, broker=cast(Broker, self.broker))
        self.handed: dict[str, Message] = {}
        self.parked: list[Message] = []
        self.ready: list[Message] = []
        self.later: list[tuple[float, Message]] = []
        self._unsettled: list[Message] = []
        self._collected = 0
        self.restart()

    @property
    def mail(self) -> ScriptedProvider:
        """The scripted mail server."""
        return cast(ScriptedProvider, self.email)

    def restart(self) -> None:
        """End every step and start it anew: nothing that it knew by itself survives."""
        email, websocket = self.email, self.websocket
        deliver_email = delivery("deliver-email", Channel.EMAIL, lambda _: email, patience_seconds=PATIENCE_SECONDS)
        open_websocket = (lambda _: websocket) if websocket else InboxProvider
        push_ws = delivery("push-ws", Channel.WEBSOCKET, open_websocket, patience_seconds=PATIENCE_SECONDS)
        orchestrate = self._open(ORCHESTRATE)
        self.sweeper = self._open(SWEEP)
        self.frames = {
            EVENTS: orchestrate,
            RESULTS: orchestrate,
            COMPENSATIONS: self._open(COMPENSATE),
            commands(Channel.EMAIL): self._open(deliver_email),
            commands(Channel.WEBSOCKET): self._open(push_ws),
            **{commands(channel): self._open_delivery(channel, provider) for channel, provider in self.others.items()},
        }

    def _open_delivery(self, channel: Channel, provider: Provider) -> Frame:
        return self._open(
            delivery(f"deliver-{channel}", channel, lambda _: provider, patience_seconds=PATIENCE_SECONDS)
        )

    def _open(self, step: Step) -> Frame:
        return Frame(step.name, step.takes, step.open(self.resources), self.resources)

    async def settle_in(self, workflow: dict[str, Any] | None = None) -> World:
        """Let a person move in who has an e-mail address, and an inbox as everybody has."""
        await self.store.directory.put_users(TENANT, [User(id=USER, email=ADDRESS)])
        if workflow is not None:
            await self.store.directory.put_workflow(TENANT, "*", workflow)
        return self

    async def post(
        self, key: str = "order-1", *, user: str = USER, prefers: Channel | None = None, **more: Any
    ) -> UUID:
        """Post one event with a key, as a client does; its announcement is tried before this returns."""
        data: dict[str, Any] = {"message": "Your order is on its way."}
        if prefers:
            data["preferred_channel"] = prefers.value
        document = {"event_type": "order_shipped", "user_id": user, "id": key, "data": data, **more}
        acceptance = Acceptance(self.resources)
        (answer,) = await acceptance.accept(read({}, json.dumps(document).encode(), tenant=TENANT))
        await acceptance.close()
        assert isinstance(answer, Accepted)
        return answer.id

    async def post_routed(self, key: str = "order-1") -> UUID:
        """Post one event and route it: its first delivery is queued, its command waits."""
        notification = await self.post(key)
        await self.deliver_queue(EVENTS)
        return notification

    def accepted(self, notification: UUID, epoch: int = 0) -> Message:
        """Write the announcement of a notification, as ingest does."""
        return outbox.write("ingest", outbox.About(notification, TENANT, epoch), EventOwed())

    def result(self, command: Command, token: UUID, *, succeeded: bool = True, channel: Channel = EMAIL) -> Message:
        """Write the result of an attempt, as its step does."""
        item = ResultOwed(
            channel=channel, attempt=command.attempt, epoch=command.epoch, token=token, succeeded=succeeded
        )
        return outbox.write("deliver-email", outbox.About(command.notification_id, TENANT, command.epoch), item)

    def receipt(self, notification: UUID, epoch: int = 0) -> Message:
        """Write the event of an acknowledgement, as realtime does."""
        return outbox.receipt("realtime", outbox.About(notification, TENANT, epoch))

    async def deliver_everything(self) -> None:
        """Hand every message to the step of its queue until nothing is left; what is due later stays."""
        self.ready, self._unsettled = self._unsettled + self.ready, []
        for _ in range(MOST_ROUNDS):
            self._collect()
            if not self.ready:
                return
            await self.deliver_queue(self.ready[0].queue)
        raise AssertionError("the messages go round in circles")

    async def deliver_next(self) -> Message | None:
        """Hand over one message alone; None when there is none."""
        self._collect()
        if not self.ready:
            return None
        message = self.ready.pop(0)
        await self.hand([message])
        return message

    async def deliver_queue(self, queue: str) -> None:
        """Hand over what waits in one queue, as one set."""
        self._collect()
        together = [message for message in self.ready if message.queue == queue]
        self.ready = [message for message in self.ready if message.queue != queue]
        if together:
            await self.hand(together)

    async def hand(self, messages: Sequence[Message]) -> list[int]:
        """Hand messages of one queue to its step as one set; what is not acknowledged comes again."""
        answers = await self.frames[messages[0].queue].take([decode(message.body) for message in messages])
        self.handed.update({message.id: message for message in messages})
        self._unsettled += [message for message, answer in zip(messages, answers, strict=True) if answer == 503]
        return answers

    async def redeliver_everything(self) -> None:
        """Hand over again, one by one, every message that was ever handed over."""
        for message in list(self.handed.values()):
            await self.hand([message])

    def lose_messages(self) -> None:
        """Empty the broker."""
        self._collect()
        self.ready, self.later, self._unsettled = [], [], []

    def copy_messages(self) -> None:
        """Let the broker deliver everything twice."""
        self._collect()
        self.ready = [copy for message in self.ready for copy in (message, message)]

    def _collect(self) -> None:
        fresh, self._collected = self.broker.published[self._collected :], len(self.broker.published)
        self.parked += [message for message in fresh if message.queue == PARKING_LOT]
        work = [message for message in fresh if message.queue != PARKING_LOT]
        self.ready += [message for message in work if not message.delay_seconds]
        self.later += [(message.delay_seconds, message) for message in work if message.delay_seconds]

    async def turn_clock(self, seconds: float) -> None:
        """Let time pass: every time in the rows moves back, delays run out, and no process remembers a breaker."""
        for statement in _TURN_CLOCK:
            await self.store.database.run(statement.replace("%(by)s", f"interval '{seconds} seconds'"))
        self._collect()
        waits = [(left - seconds, message) for left, message in self.later]
        self.ready += [message for left, message in waits if left <= 0]
        self.later = [(left, message) for left, message in waits if left > 0]
        self.restart()

    async def sweep(self) -> int:
        """Give the sweep a tick; return its answer."""
        (answer,) = await self.sweeper.take([Event(id=str(uuid4()), source="/tests", type=EventType.TICK)])
        return answer

    async def live_on(self, *, seconds: float = 20, rounds: int = 40) -> None:
        """Let time pass, sweep and deliver, until every notification has ended."""
        for _ in range(rounds):
            await self.deliver_everything()
            if not await self._under_way():
                return
            await self.turn_clock(seconds)
            await self.sweep()
        raise AssertionError(f"still under way: {await self._under_way()}")

    async def _under_way(self) -> list[str]:
        rows = await self.store.database.fetch("SELECT status FROM notifications")
        return [row[0] for row in rows if row[0] not in TERMINAL]

    async def status_of(self, notification: UUID) -> NotificationStatus:
        """Read a notification's status."""
        return NotificationStatus(str(await self.store.views.status(TENANT, notification)))

    async def document(self, notification: UUID) -> dict[str, Any]:
        """Read a notification as its caller may."""
        document = await self.store.views.notification(TENANT, notification)
        assert document is not None
        return document

    async def outcomes(self, notification: UUID) -> list[str]:
        """List what came of its attempts, oldest first."""
        return [attempt["outcome"] for attempt in (await self.document(notification))["attempts"]]

    async def dead_letters(self, status: str = "open") -> list[dict[str, Any]]:
        """List dead letters."""
        return await self.store.dead_letters.listing(TENANT, status=status)

    async def value(self, column: str, notification: UUID, channel: Channel = Channel.EMAIL) -> Any:
        """Read one column of a delivery."""
        query = f"SELECT {column} FROM deliveries WHERE notification_id = %s AND channel = %s"
        return (await self.store.database.fetch(query, (notification, channel.value)))[0][0]

    async def let_leases_run_out(self) -> None:
        """Turn the clock of the leases alone."""
        await self.store.database.run("UPDATE deliveries SET lease_until = clock_timestamp() - interval '1 second'")

    async def next_look_in(self, notification: UUID) -> float | None:
        """Read in how many seconds the sweep looks at it; None when never."""
        query = "SELECT EXTRACT(EPOCH FROM next_look_at - clock_timestamp())::float8 FROM notifications WHERE id = %s"
        return cast("float | None", (await self.store.database.fetch(query, (notification,)))[0][0])


def claims_of(answers: Sequence[Claim | Exception]) -> list[Claim]:
    """Take the answers to a set that went well."""
    failures = [answer for answer in answers if isinstance(answer, Exception)]
    assert failures == []
    return [answer for answer in answers if isinstance(answer, Claim)]


def first_command(notification: UUID, attempt: int = 1, epoch: int = 0) -> Command:
    """Ask for an attempt."""
    return Command(notification, attempt, epoch)


async def until_somebody_waits_for_a_lock(store: Store, *, how_many: int = 1) -> None:
    """Return when statements wait for the rows of another transaction."""
    query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(10):
        while len(await store.database.fetch(query)) < how_many:  # noqa: ASYNC110 - another connection's state
            await asyncio.sleep(0.01)


def lines(document: dict[str, Any], what: str) -> list[dict[str, Any]]:
    """Find the lines of a timeline that tell one thing."""
    return [line for line in document["timeline"] if line["what"] == what]


STEPS_TO_FAILURE = [EVENTS, commands(Channel.EMAIL), RESULTS, commands(Channel.WEBSOCKET), RESULTS, COMPENSATIONS]
"""The queues that a notification passes in a doomed world."""


async def doomed(store: Store) -> World:
    """Open a world in which both channels refuse for good."""
    refusals = [OutcomeKind.PERMANENT] * 5
    return await World(store, email=ScriptedProvider(*refusals), websocket=ScriptedProvider(*refusals)).settle_in()


async def assert_it_failed_once(world: World, notification: UUID) -> None:
    """Check that it has ended as it ends in a doomed world, and did no work twice."""
    assert await world.status_of(notification) is NotificationStatus.FAILED
    assert (len(world.mail.letters), await world.outcomes(notification)) == (1, ["permanent", "permanent"])
    assert len(await world.dead_letters()) == 1
