"""What the intake keeps of a trace: the name of its own span, in the row that all messages are derived from."""

from __future__ import annotations

import json
from typing import Any

from functions.ingest.accepting import Acceptance
from functions.ingest.requests import read
from functions.ingest.tracing import TracedAcceptance, open_acceptance
from shared.errors import Refused
from tests.traces import SAMPLED, Notes
from tests.world import TENANT, World

EVENT: dict[str, Any] = {"event_type": "order_shipped", "user_id": "1", "data": {"message": "It is on its way."}}


async def kept(world: World) -> list[str]:
    """Read the traces of what was kept."""
    rows = await world.store.database.fetch("SELECT traceparent FROM notifications ORDER BY created_at, id")
    return [row[0] for row in rows]


async def test_the_row_names_the_span_of_its_post_which_is_a_child_of_the_callers(world: World) -> None:
    notes = Notes()
    intake = TracedAcceptance(world.resources, notes)

    (item,) = read({"traceparent": SAMPLED}, json.dumps(EVENT).encode(), tenant=TENANT)
    answer = await intake.accept_one(item)
    await intake.close()

    (span,) = notes.spans
    assert span.parent == SAMPLED
    assert await kept(world) == [span.traceparent]
    assert span.about["notification_id"] == str(answer.id)
    assert span.traceparent.encode() in world.broker.published[0].body


async def test_each_event_of_a_request_has_a_span_and_one_for_many_users_has_one_for_all(world: World) -> None:
    notes = Notes()
    intake = TracedAcceptance(world.resources, notes)
    many = {**EVENT, "user_ids": ["1", "2"]}
    del many["user_id"]
    items = [*read({}, json.dumps(EVENT).encode(), tenant=TENANT), *read({}, json.dumps(many).encode(), tenant=TENANT)]

    await intake.accept([*items, Refused(422, "Invalid event", "It says nothing.")])
    await intake.close()
    await world.deliver_everything()

    alone, for_many = notes.spans
    assert sorted(await kept(world)) == sorted([alone.traceparent, for_many.traceparent, for_many.traceparent])


async def test_without_a_collector_the_intake_is_the_plain_one(world: World) -> None:
    assert type(open_acceptance(world.resources)) is Acceptance
