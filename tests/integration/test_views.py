"""What anybody may see afterwards: what happened and why, and nothing that is nobody's business."""

from __future__ import annotations

import json
from uuid import uuid4

from shared.outcomes import Outcome
from shared.statuses import Channel, OutcomeKind
from shared.store import Store
from tests.fakes import ScriptedProvider
from tests.world import ADDRESS, TENANT, World, lines

BUSY = Outcome(kind=OutcomeKind.TRANSIENT, code="451 4.3.0", reason="the server is busy", provider="scripted")


async def sent_at_the_second_try(store: Store) -> tuple[World, dict[str, object]]:
    world = await World(store, email=ScriptedProvider(BUSY)).settle_in()
    notification = await world.post()
    await world.live_on()
    return world, await world.document(notification)


async def test_a_notification_tells_its_deliveries_and_attempts(store: Store) -> None:
    _, document = await sent_at_the_second_try(store)

    assert (document["status"], document["user_id"], document["event_type"]) == ("sent", "1", "order_shipped")
    deliveries, attempts = document["deliveries"], document["attempts"]
    assert isinstance(deliveries, list)
    assert isinstance(attempts, list)
    assert [(row["channel"], row["status"], row["attempt"], row["tries"]) for row in deliveries] == [
        ("email", "sent", 2, 2)
    ]
    assert [(row["attempt"], row["outcome"], row["code"]) for row in attempts] == [
        (1, "transient", "451 4.3.0"),
        (2, "accepted", "accepted"),
    ]


async def test_the_timeline_tells_what_happened_and_why_in_order(store: Store) -> None:
    _, document = await sent_at_the_second_try(store)

    timeline = document["timeline"]
    assert isinstance(timeline, list)
    told = [line["what"] for line in timeline]
    assert told == ["accepted", "routed", "attempt", "retrying", "attempt", "sent"]
    assert all(line["why"] for line in timeline)
    assert [line["at"] for line in timeline] == sorted(line["at"] for line in timeline)


async def test_it_tells_why_the_other_channels_were_passed_over(world: World) -> None:
    await world.store.directory.put_preference(TENANT, "1", "*", Channel.EMAIL, enabled=False)
    notification = await world.post()
    await world.deliver_everything()

    document = await world.document(notification)

    assert document["passed"]["email"] == "the user does not want this category here"
    assert document["passed"]["sms"] == "this installation does not send on this channel"
    assert "websocket" not in document["passed"]
    assert lines(document, "routed")[0]["channel"] == "websocket"


async def test_no_address_body_or_token_is_shown(store: Store) -> None:
    world, document = await sent_at_the_second_try(store)
    tokens = await world.store.database.fetch("SELECT token FROM attempts")

    shown = json.dumps(document)

    assert ADDRESS not in shown
    assert "on its way" not in shown
    assert not [row[0] for row in tokens if str(row[0]) in shown]


async def test_another_tenant_sees_nothing(world: World) -> None:
    notification = await world.post()

    assert await world.store.views.notification("other", notification) is None
    assert await world.store.views.status("other", notification) is None
    assert await world.store.views.counts("other") == {}


async def test_what_does_not_exist_is_not_shown(store: Store) -> None:
    assert await store.views.notification(TENANT, uuid4()) is None
    assert await store.views.status(TENANT, uuid4()) is None


async def test_counts_tell_how_many_stand_where(world: World) -> None:
    for number in range(3):
        await world.post(f"order-{number}")
    await world.deliver_everything()
    await world.post("order-3")

    assert await world.store.views.counts(TENANT) == {"sent": 3, "pending": 1}
