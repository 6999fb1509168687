"""Calling a notification back, as clients do it: over HTTP, while the saga is at any of its turns."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from shared import serve
from shared.broker.topology import COMPENSATIONS, EVENTS, RESULTS, commands
from shared.callback_links import Subject
from shared.outcomes import Outcome
from shared.saga import Cancelled, Receipt, decide
from shared.serve import App
from shared.statuses import Channel, OutcomeKind
from shared.store import Store
from shared.store.claims import Recorded, Verdict
from tests.asgi import Answer, call, resources
from tests.fakes import ScriptedProvider
from tests.world import EMAIL, TENANT, World, claims_of, first_command, lines, until_somebody_waits_for_a_lock

EMAILS = commands(EMAIL)
BUSY = Outcome(kind=OutcomeKind.TRANSIENT, code="451", reason="the server is busy", provider="scripted")
REFUSED = Outcome(kind=OutcomeKind.PERMANENT, code="550", reason="no such box", provider="scripted")


@pytest.fixture
def ingest(world: World) -> App:
    return serve.build("ingest", world.resources)


async def cancel(app: App, key: UUID | str) -> Answer:
    return await call(app, "POST", f"/api/v1/notifications/{key}/cancel")


async def test_what_is_not_routed_yet_is_cancelled_at_once_and_never_sent(world: World, ingest: App) -> None:
    notification = await world.post()

    answer = await cancel(ingest, notification)
    await world.deliver_everything()

    assert (answer.status, answer.document["status"], answer.document["cancelled_by"]) == (200, "cancelled", "open")
    assert await world.status_of(notification) == "cancelled"
    assert len(world.mail.letters) == 0
    assert await world.dead_letters() == []


async def test_what_is_asked_for_is_called_off(world: World, ingest: App) -> None:
    notification = await world.post_routed()

    answer = await cancel(ingest, notification)
    await world.deliver_everything()

    assert (answer.status, answer.document["status"]) == (200, "cancelled")
    assert (await world.value("status", notification), len(world.mail.letters)) == ("cancelled", 0)


async def test_what_waits_for_its_next_try_gets_none(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(BUSY)).settle_in()
    notification = await world.post()
    await world.deliver_everything()

    answer = await cancel(serve.build("ingest", world.resources), notification)
    await world.turn_clock(30)
    await world.deliver_everything()

    assert (answer.status, len(world.mail.letters)) == (200, 1)
    assert await world.status_of(notification) == "cancelled"


async def test_cancelled_twice_is_cancelled_once(world: World, ingest: App) -> None:
    notification = await world.post_routed()

    first, again = await cancel(ingest, notification), await cancel(ingest, notification)

    assert (first.status, again.status) == (200, 200)
    assert len(lines(await world.document(notification), "cancelled")) == 1


@pytest.mark.parametrize(("outcome", "delivery"), [(BUSY, "cancelled"), (REFUSED, "failed")], ids=["busy", "refused"])
async def test_a_call_under_way_is_waited_for_and_nothing_follows_if_it_fails(
    world: World, ingest: App, outcome: Outcome, delivery: str
) -> None:
    notification = await world.post_routed()
    token = await claimed(world, notification)

    answer = await cancel(ingest, notification)
    await finish(world, notification, token, outcome)
    await world.deliver_everything()

    assert (answer.status, answer.document["status"], answer.document["under_way"]) == (202, "queued", ["email"])
    assert await world.status_of(notification) == "cancelled"
    document = await world.document(notification)
    assert [(row["channel"], row["status"]) for row in document["deliveries"]] == [("email", delivery)]
    assert await world.dead_letters() == []


async def test_a_call_under_way_that_succeeds_is_sent_and_what_could_not_be_undone_is_told(
    world: World, ingest: App
) -> None:
    notification = await world.post_routed()
    token = await claimed(world, notification)
    await cancel(ingest, notification)

    await finish(world, notification, token, Outcome(kind=OutcomeKind.ACCEPTED, code="250", provider="scripted"))
    await world.deliver_everything()

    document = await world.document(notification)
    assert (document["status"], document["deliveries"][0]["status"]) == ("cancelled", "sent")
    assert [line["channel"] for line in lines(document, "not_undone")] == ["email"]
    assert await world.dead_letters() == []
    assert world.parked == []


async def test_a_claim_of_which_nobody_came_back_is_not_taken_over_after_the_cancellation(
    world: World, ingest: App
) -> None:
    notification = await world.post_routed()
    await claimed(world, notification)
    await cancel(ingest, notification)

    await world.turn_clock(120)
    await world.sweep()
    await world.deliver_everything()

    assert (await world.status_of(notification), len(world.mail.letters)) == ("cancelled", 0)
    assert await world.outcomes(notification) == ["ambiguous"]
    assert [line["channel"] for line in lines(await world.document(notification), "not_undone")] == ["email"]


async def test_a_claim_that_is_given_back_after_the_cancellation_is_not_taken_again(world: World, ingest: App) -> None:
    notification = await world.post_routed()
    token = await claimed(world, notification)
    await cancel(ingest, notification)

    await world.store.claims.give_back(EMAIL, [(first_command(notification), token)])
    await world.deliver_everything()

    assert (await world.status_of(notification), len(world.mail.letters)) == ("cancelled", 0)


async def test_a_claim_that_meets_the_cancellation_waits_for_it_and_gets_nothing(
    world: World, another_store: Store
) -> None:
    notification = await world.post_routed()

    async with world.store.sagas.transaction() as sagas:
        change = (await sagas.lock([notification]))[notification]
        change.take(decide(change.before, Cancelled(by="the caller"), sagas.now))
        await sagas.save([change])
        asking = asyncio.create_task(another_store.claims.claim(EMAIL, [first_command(notification)]))
        await until_somebody_waits_for_a_lock(world.store)

    (claim,) = claims_of(await asking)
    assert claim.verdict is Verdict.STALE


async def test_ten_who_cancel_at_once_cancel_it_once(world: World, ingest: App) -> None:
    notification = await world.post_routed()

    answers = await asyncio.gather(*[cancel(ingest, notification) for _ in range(10)])

    assert {answer.status for answer in answers} == {200}
    assert len(lines(await world.document(notification), "cancelled")) == 1


async def test_what_lies_in_the_inbox_is_taken_out(world: World, ingest: App) -> None:
    notification = await world.post(prefers=Channel.WEBSOCKET)
    await world.deliver_everything()

    answer = await cancel(ingest, notification)
    await world.deliver_everything()

    document = await world.document(notification)
    assert (answer.status, answer.document["status"]) == (202, "compensating")
    assert (document["status"], document["deliveries"][0]["status"]) == ("cancelled", "retracted")
    assert await world.store.inbox.since(TENANT, "1", 0) == []
    assert await world.dead_letters() == []


async def test_a_compensation_that_the_broker_refused_is_brought_by_the_sweep(world: World, ingest: App) -> None:
    notification = await world.post()
    await world.deliver_everything()
    world.broker.refuses = True
    answer = await cancel(ingest, notification)
    world.broker.refuses = False

    await world.turn_clock(60)
    await world.sweep()
    await world.deliver_everything()

    assert answer.status == 202
    assert await world.status_of(notification) == "cancelled"


async def test_asked_again_the_compensation_is_published_again(world: World, ingest: App) -> None:
    notification = await world.post()
    await world.deliver_everything()
    await cancel(ingest, notification)
    world.lose_messages()

    await cancel(ingest, notification)
    await world.deliver_queue(COMPENSATIONS)

    assert await world.status_of(notification) == "cancelled"


async def test_a_success_that_comes_after_the_end_is_taken_back_too(world: World, ingest: App) -> None:
    notification = await world.post(prefers=Channel.WEBSOCKET)
    await world.deliver_queue(EVENTS)
    token = await claimed(world, notification, Channel.WEBSOCKET)
    await cancel(ingest, notification)
    await world.turn_clock(120)
    await world.sweep()
    await world.deliver_everything()
    ended = await world.status_of(notification)

    accepted = Outcome(kind=OutcomeKind.ACCEPTED, code="inbox", provider="inbox")
    await finish(world, notification, token, accepted, Channel.WEBSOCKET)
    await world.deliver_queue(RESULTS)
    taken_back = await world.status_of(notification)
    await world.deliver_everything()

    assert (ended, taken_back) == ("cancelled", "compensating")
    document = await world.document(notification)
    assert (document["status"], document["deliveries"][0]["status"]) == ("cancelled", "sent")
    assert len(lines(document, "not_undone")) == 2


async def test_what_is_in_the_persons_hands_cannot_be_cancelled(world: World, ingest: App) -> None:
    notification = await world.post(prefers=Channel.WEBSOCKET)
    await world.deliver_everything()
    await world.store.inbox.acknowledge(TENANT, "1", [notification])
    await world.hand([world.receipt(notification)])

    answer = await cancel(ingest, notification)

    assert (answer.status, answer.headers["content-type"]) == (409, "application/problem+json")
    assert "in the person's hands" in answer.document["detail"]
    assert await world.status_of(notification) == "delivered"


async def test_what_has_failed_stays_failed_and_keeps_its_dead_letter(world: World, ingest: App) -> None:
    notification = await world.post(user="nobody")
    await world.deliver_everything()

    answer = await cancel(ingest, notification)

    assert (answer.status, await world.status_of(notification)) == (409, "failed")
    assert len(await world.dead_letters()) == 1


async def test_what_is_being_given_up_can_be_cancelled_and_leaves_no_dead_letter(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(REFUSED)).settle_in({"channels": ["email"]})
    notification = await world.post_routed()
    await world.deliver_queue(EMAILS)
    await world.deliver_queue(RESULTS)
    before = await world.status_of(notification)

    answer = await cancel(serve.build("ingest", world.resources), notification)
    await world.deliver_everything()

    assert (before, answer.status) == ("compensating", 202)
    assert await world.status_of(notification) == "cancelled"
    assert await world.dead_letters() == []


@pytest.mark.parametrize("key", ["no-id", "3f0cbe6e-5b53-4a35-9f1c-0d6a5b6f2f11"])
async def test_what_nobody_posted_cannot_be_cancelled(ingest: App, key: str) -> None:
    assert (await cancel(ingest, key)).status == 404


async def test_another_tenant_cannot_cancel_it(world: World) -> None:
    notification = await world.post()
    other = serve.build("ingest", resources(world.store, api_keys="other:right"))

    answer = await call(other, "POST", f"/api/v1/notifications/{notification}/cancel", headers={"x-api-key": "right"})

    assert answer.status == 404
    assert await world.status_of(notification) == "pending"


async def test_a_receipt_of_what_nobody_knew_to_be_sent_is_a_reason_to_take_it_back(world: World, ingest: App) -> None:
    notification = await world.post(prefers=Channel.WEBSOCKET)
    await world.deliver_queue(EVENTS)
    await claimed(world, notification, Channel.WEBSOCKET)
    await cancel(ingest, notification)
    await world.turn_clock(120)
    await world.sweep()
    await world.deliver_everything()

    subject = (notification, Channel.WEBSOCKET)
    await told(world, *subject, Receipt.DELIVERED)
    await world.deliver_everything()

    document = await world.document(notification)
    assert (document["status"], document["deliveries"][0]["status"]) == ("cancelled", "delivered")
    assert [line["what"] for line in document["timeline"]][-2:] == ["not_undone", "cancelled"]


async def claimed(world: World, notification: UUID, channel: Channel = EMAIL) -> UUID:
    """Let a process take the first attempt, and not come back yet."""
    (claim,) = claims_of(await world.store.claims.claim(channel, [first_command(notification)]))
    assert claim.token is not None
    return claim.token


async def finish(world: World, notification: UUID, token: UUID, outcome: Outcome, channel: Channel = EMAIL) -> None:
    """Let it come back with an outcome."""

    command = first_command(notification)
    recorded = Recorded(command=command, token=token, tenant=TENANT, outcome=outcome, took_seconds=1)
    await world.store.claims.record(channel, [recorded])
    succeeded = outcome.kind is OutcomeKind.ACCEPTED
    world.ready.append(world.result(command, token, succeeded=succeeded, channel=channel))


async def told(world: World, notification: UUID, channel: Channel, receipt: Receipt) -> None:
    """Let the far side speak."""

    subject = Subject(tenant=TENANT, notification_id=notification, channel=channel, epoch=0)
    await world.store.receipts.keep(subject, receipt, "", suppress=False)
    world.ready.append(world.receipt(notification))
