"""The same cause always has the same id; another cause has another."""

from __future__ import annotations

from itertools import combinations
from uuid import UUID

import pytest

from shared import ids

ONE = ids.notification_id("acme", "shop", "order-1", "1")


def test_the_names_of_what_is_stored_already_never_change() -> None:
    """A release that changed them would send again whatever was under way."""
    assert UUID("06cca49f-0971-58ec-a10b-8ec4c63d8768") == ONE
    assert ids.command_id(ONE, "email", 1, 0) == f"{ONE}/email/0/1"
    assert ids.delivery_key(ONE, "email", 0) == UUID("8fcc195c-82ec-5053-9817-a1efc387221d")
    assert ids.message_id(ONE, "accepted", 0) == f"{ONE}/accepted/0"


@pytest.mark.parametrize(
    "other",
    [
        ("other", "shop", "order-1", "1"),
        ("acme", "other", "order-1", "1"),
        ("acme", "shop", "order-2", "1"),
        ("acme", "shop", "order-1", "2"),
    ],
)
def test_another_tenant_source_key_or_user_is_another_notification(other: tuple[str, str, str, str]) -> None:
    assert ids.notification_id(*other) != ONE


def test_parts_that_run_together_are_still_different() -> None:
    assert ids.notification_id("a", "bc", "d", "e") != ids.notification_id("ab", "c", "d", "e")


def test_every_channel_attempt_and_epoch_has_a_command_of_its_own() -> None:
    commands = [
        ids.command_id(notification, channel, attempt, epoch)
        for notification in (ONE, UUID(int=2))
        for channel in ("email", "sms")
        for attempt in (1, 2, 11)
        for epoch in (0, 1, 11)
    ]

    assert all(left != right for left, right in combinations(commands, 2))


def test_every_attempt_of_a_delivery_shows_its_provider_the_same_key() -> None:
    assert ids.delivery_key(ONE, "email", 0) == ids.delivery_key(ONE, "email", 0)
    assert ids.delivery_key(ONE, "email", 0) != ids.delivery_key(ONE, "email", 1)
    assert ids.delivery_key(ONE, "email", 0) != ids.delivery_key(ONE, "sms", 0)


def test_messages_of_different_kinds_and_epochs_differ() -> None:
    found = {ids.message_id(ONE, kind, epoch) for kind in ("a", "b") for epoch in (0, 1, 11)}

    assert len(found) == 6
