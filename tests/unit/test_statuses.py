"""Which status may follow which: one table in Python, the same one in the database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

import shared.store
from shared.errors import IllegalTransition
from shared.saga import Delivery
from shared.statuses import (
    DELIVERY_TRANSITIONS,
    MEMBER_TRANSITIONS,
    NOTIFICATION_TRANSITIONS,
    REACHED,
    TERMINAL,
    UNDER_WAY,
    Channel,
    DeliveryStatus,
    NotificationStatus,
)
from tests.unit.sagas import pending

MIGRATIONS = Path(shared.store.__file__).parent / "migrations"
N, D = NotificationStatus, DeliveryStatus
TABLES: list[tuple[str, Mapping[str, frozenset[str]]]] = [
    ("notification", {k.value: frozenset(v) for k, v in NOTIFICATION_TRANSITIONS.items()}),
    ("member", {k.value: frozenset(v) for k, v in MEMBER_TRANSITIONS.items()}),
    ("delivery", {k.value: frozenset(v) for k, v in DELIVERY_TRANSITIONS.items()}),
]


def in_the_database(noun: str) -> set[tuple[str, str]]:
    """Read the pairs of the last migration that defines the table of a noun."""
    function = re.compile(rf"CREATE (?:OR REPLACE )?FUNCTION refuse_{noun}_transition\(\).*?ARRAY\[(.*?)\]", re.DOTALL)
    found = [match[1] for path in sorted(MIGRATIONS.glob("*.sql")) for match in function.finditer(path.read_text())]
    pairs = re.findall(r"'(\w+)>(\w+)'", found[-1])
    assert len(pairs) == len(set(pairs)), "no pair stands there twice"
    return set(pairs)


@pytest.mark.parametrize(("noun", "table"), TABLES)
def test_the_database_allows_exactly_what_the_saga_allows(noun: str, table: Mapping[str, frozenset[str]]) -> None:
    assert in_the_database(noun) == {(old, new) for old, following in table.items() for new in following}


def test_every_status_has_its_row() -> None:
    assert set(NOTIFICATION_TRANSITIONS) == set(NotificationStatus)
    assert set(DELIVERY_TRANSITIONS) == set(DeliveryStatus)


@pytest.mark.parametrize(("noun", "table"), TABLES)
def test_no_status_follows_itself(noun: str, table: Mapping[str, frozenset[str]]) -> None:
    assert [old for old, following in table.items() if old in following] == []


def reachable(table: Mapping[str, frozenset[str]], *starts: str) -> set[str]:
    found, left = set(starts), list(starts)
    while left:
        fresh = table[left.pop()] - found
        found |= fresh
        left += fresh
    return found


def test_a_notification_can_reach_every_status() -> None:
    assert reachable(dict(TABLES)["notification"], N.SCHEDULED) == set(NotificationStatus)


def test_a_member_of_a_digest_can_end_as_the_digest_does() -> None:
    assert reachable(dict(TABLES)["member"], N.PENDING) == set(NotificationStatus) - {N.COMPENSATING}


def test_a_delivery_can_reach_every_status() -> None:
    assert reachable(dict(TABLES)["delivery"], D.QUEUED) == set(DeliveryStatus)


@pytest.mark.parametrize("status", sorted(set(NotificationStatus) - TERMINAL))
def test_every_notification_under_way_can_end(status: NotificationStatus) -> None:
    assert reachable(dict(TABLES)["notification"], status) & TERMINAL


@pytest.mark.parametrize("status", sorted(UNDER_WAY))
def test_every_delivery_under_way_can_succeed_fail_or_be_cancelled(status: DeliveryStatus) -> None:
    assert {D.SENT, D.FAILED, D.CANCELLED} <= DELIVERY_TRANSITIONS[status]


def test_no_delivery_is_both_under_way_and_reached() -> None:
    assert set() == UNDER_WAY & REACHED


def test_what_was_delivered_is_left_for_nothing() -> None:
    left_for_nothing = {status for status, following in NOTIFICATION_TRANSITIONS.items() if not following}

    assert left_for_nothing == {N.DELIVERED}


def test_what_has_ended_is_left_only_by_a_replay_a_late_success_or_a_receipt() -> None:
    ways_out = {(old, new) for old in TERMINAL - {N.SENT} for new in NOTIFICATION_TRANSITIONS[old]}

    late_success = {(status, N.SENT) for status in (N.FAILED, N.UNKNOWN, N.EXPIRED, N.SKIPPED)}
    assert ways_out == late_success | {(N.CANCELLED, N.COMPENSATING)} | {(N.FAILED, N.PENDING), (N.UNKNOWN, N.PENDING)}


def test_a_notification_refuses_what_its_table_does_not_allow() -> None:
    with pytest.raises(IllegalTransition, match="notification pending -> delivered"):
        pending().to(N.DELIVERED, "by mistake")


def test_a_delivery_refuses_what_its_table_does_not_allow() -> None:
    delivery = Delivery(channel=Channel.EMAIL, status=D.READ)

    with pytest.raises(IllegalTransition, match="delivery read -> queued"):
        delivery.to(D.QUEUED, "by mistake")
