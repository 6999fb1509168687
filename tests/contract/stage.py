"""One store, real or in memory, and a few moves on it: what the contract of both is told with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from shared.ids import notification_id
from shared.outcomes import Outcome
from shared.saga import Delivery, Occurrence, Plan, Routed, Saga, decide
from shared.statuses import Channel, OutcomeKind
from shared.store import Store
from shared.store.claims import Claim, Command, Recorded
from shared.store.directory import User
from shared.store.intake import NewNotification
from tests.world import claims_of

TENANT, USER, ADDRESS = "default", "1", "one@example.test"
EMAIL, WEBSOCKET = Channel.EMAIL, Channel.WEBSOCKET
LEASE_IS_OVER_SECONDS = 61


def order(
    number: int, body: bytes = b"body", *, user: str = USER, event_type: str = "order_created", **more: Any
) -> NewNotification:
    """Make a notification that is ready to be kept."""
    return NewNotification(
        id=notification_id(TENANT, "shop", str(number), user),
        tenant=TENANT,
        user_id=user,
        event_type=event_type,
        source="shop",
        body_hash=body,
        data={"message": "hello"},
        **more,
    )


def outcome(kind: OutcomeKind, **more: Any) -> Outcome:
    """Make an outcome."""
    return Outcome(kind=kind, code=kind.value, provider="mail", **more)


class Stage:
    """A store with one person in it, and a clock that can be turned."""

    def __init__(self, store: Store, turn_clock: Callable[[float], Awaitable[None]]) -> None:
        self.store = store
        self.turn_clock = turn_clock

    async def settle_in(self) -> Stage:
        """Let a person move in."""
        await self.store.directory.put_users(TENANT, [User(id=USER, name="One", email=ADDRESS)])
        return self

    async def keep(self, number: int = 1, **more: Any) -> UUID:
        """Keep a notification."""
        new = order(number, **more)
        await self.store.intake.keep([new])
        return new.id

    async def route(self, number: int = 1, *steps: Channel, **plan: Any) -> Command:
        """Keep a notification and route it; return the command for its first attempt."""
        key = await self.keep(number)
        await self.fold(key, Routed(plan=Plan(**plan), wanted=steps or (EMAIL,)))
        return Command(key, 1, 0)

    async def fold(self, key: UUID, *occurrences: Occurrence) -> Saga:
        """Fold what happened into a saga, in a transaction, with words for what is newly queued."""
        async with self.store.sagas.transaction() as sagas:
            change = (await sagas.lock([key]))[key]
            for occurrence in occurrences:
                change.take(decide(change.after, occurrence, sagas.now))
            for channel in change.queued():
                change.contents[channel] = {"subject": "Hello", "text": "There."}
            await sagas.save([change])
            return change.after

    async def fold_attempt(self, command: Command, token: UUID | None) -> Saga:
        """Fold a recorded attempt."""
        assert token is not None
        async with self.store.sagas.transaction() as sagas:
            await sagas.lock([command.notification_id])
            found = await sagas.attempts([(command.notification_id, token)])
        return await self.fold(command.notification_id, *found.values())

    async def saga(self, key: UUID) -> Saga:
        """Read a saga."""
        async with self.store.sagas.transaction() as sagas:
            return (await sagas.lock([key]))[key].before

    async def delivery(self, key: UUID, channel: Channel = EMAIL) -> Delivery:
        """Read a delivery."""
        found = (await self.saga(key)).delivery(channel)
        assert found is not None
        return found

    async def attempts(self, key: UUID) -> list[tuple[str, bool]]:
        """List what came of the attempts, and whether each is marked as ambiguous."""
        document = await self.store.views.notification(TENANT, key)
        assert document is not None
        return [(attempt["outcome"], attempt["ambiguous"]) for attempt in document["attempts"]]

    async def claim(self, command: Command, channel: Channel = EMAIL) -> Claim:
        """Ask for one claim."""
        (answer,) = claims_of(await self.store.claims.claim(channel, [command]))
        return answer

    async def record(self, command: Command, token: UUID | None, what: Outcome, **more: Any) -> None:
        """Record one outcome."""
        assert token is not None
        item = Recorded(command=command, token=token, tenant=TENANT, outcome=what, took_seconds=0.1, **more)
        await self.store.claims.record(EMAIL, [item])

    async def next_look_in(self, key: UUID) -> float | None:
        """Say in how many seconds the sweep looks at it."""
        async with self.store.sagas.transaction() as sagas:
            saga = (await sagas.lock([key]))[key].before
            return (saga.next_look_at - sagas.now).total_seconds() if saga.next_look_at else None
