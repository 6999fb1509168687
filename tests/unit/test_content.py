"""What orchestrate writes into a delivery beyond its words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest

from shared.folding import content
from shared.saga import Plan, Saga
from shared.statuses import Channel, NotificationStatus
from shared.store.facts import Facts

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def written(channel: Channel = Channel.EMAIL, plan: Plan | None = None, **data: Any) -> dict[str, Any]:
    saga = Saga(
        id=UUID(int=1),
        tenant="default",
        status=NotificationStatus.QUEUED,
        created_at=NOW,
        expires_at=NOW + timedelta(days=1),
        plan=plan or Plan(),
    )
    known = Facts(
        event_type="order_created",
        user_id="1",
        user_name="Ada",
        data={"message": "Hi", **data},
        preferred=None,
        workflow=None,
        obstacles=MappingProxyType({}),
    )
    return content(saga, channel, known)


def test_a_plain_delivery_holds_its_words_and_nothing_more() -> None:
    assert written() == {"subject": "Order created", "text": "Hello Ada,\n\nHi\n", "event_type": "order_created"}


@pytest.mark.parametrize(("channel", "category"), [(Channel.EMAIL, "offers"), (Channel.WEBSOCKET, None)])
def test_a_mail_knows_the_category_that_its_reader_can_refuse(channel: Channel, category: str | None) -> None:
    assert written(channel, Plan(category="offers")).get("category") == category


def test_the_options_of_an_event_go_to_its_channel_alone() -> None:
    options = {"email": {"reply_to": "help@example.test"}, "telegram": {"silent": True}}

    assert written(options=options)["options"] == {"reply_to": "help@example.test"}
    assert "options" not in written(Channel.WEBSOCKET, options=options)


def test_options_that_the_rules_no_longer_allow_fail_the_delivery_and_not_the_step() -> None:
    found = written(options={"email": {"reply_to": "nobody"}})

    assert found["unrenderable"] == "the event's options are malformed"
    assert "options" not in found
