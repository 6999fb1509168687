"""How a notification counts towards the service level: once, when a provider first has it or never will."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from shared.metrics import Metrics
from shared.saga import Delivery, Entry, Plan, Saga, What
from shared.saga.occurrences import QUIET_HOURS
from shared.statuses import Channel, DeliveryStatus, NotificationStatus
from shared.store.changes import Change
from shared.telling import service_level, tell

N, D = NotificationStatus, DeliveryStatus
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EMAIL = Channel.EMAIL


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def saga(status: NotificationStatus, *deliveries: Delivery, accepted: float = 1.0, **more: object) -> Saga:
    made = Saga(id=uuid4(), tenant="default", status=status, created_at=ago(accepted), expires_at=NOW)
    return made.but(deliveries=deliveries, **more)


def delivery(status: DeliveryStatus, **more: object) -> Delivery:
    return Delivery(channel=EMAIL, status=status).but(**more)


def change(before: Saga, after: Saga) -> Change:
    return Change(before=before, after=after)


def sent(before: Saga) -> Change:
    (held,) = before.deliveries
    return change(before, before.but(status=N.SENT, deliveries=(held.but(status=D.SENT, due_at=None, reason=""),)))


@pytest.mark.parametrize(("seconds", "result"), [(9.9, "in_time"), (10.1, "late")])
def test_what_a_provider_has_within_ten_seconds_is_in_time(seconds: float, result: str) -> None:
    before = saga(N.QUEUED, delivery(D.SENDING), accepted=seconds)

    assert service_level(sent(before), NOW) == result


def test_what_was_posted_for_later_counts_from_then() -> None:
    before = saga(N.QUEUED, delivery(D.SENDING), accepted=3_600, send_at=ago(5))

    assert service_level(sent(before), NOW) == "in_time"


@pytest.mark.parametrize(("reason", "result"), [(QUIET_HOURS, "in_time"), ("the server is busy", "late")])
def test_quiet_hours_are_nobodys_delay_and_a_providers_are(reason: str, result: str) -> None:
    before = saga(N.QUEUED, delivery(D.SENDING, due_at=ago(5), reason=reason), accepted=3_600)

    assert service_level(sent(before), NOW) == result


def test_a_second_channel_is_not_judged_again() -> None:
    first = delivery(D.SENT)
    before = saga(N.QUEUED, first, Delivery(channel=Channel.SMS, status=D.SENDING), accepted=7_200)
    after = before.but(status=N.SENT, deliveries=(first, Delivery(channel=Channel.SMS, status=D.SENT)))

    assert service_level(change(before, after), NOW) is None


def test_what_was_delivered_later_is_not_judged_again() -> None:
    before = saga(N.SENT, delivery(D.SENT), accepted=7_200)

    assert service_level(change(before, before.but(status=N.DELIVERED)), NOW) is None


@pytest.mark.parametrize(
    ("before", "after", "result"),
    [
        (N.QUEUED, N.EXPIRED, "expired"),
        (N.QUEUED, N.UNKNOWN, "unknown"),
        (N.QUEUED, N.SKIPPED, None),
        (N.QUEUED, N.CANCELLED, None),
        (N.QUEUED, N.COMPENSATING, None),
        (N.FAILED, N.PENDING, None),
    ],
)
def test_what_ends_without_a_provider_counts_unless_nobody_wanted_it(
    before: NotificationStatus, after: NotificationStatus, result: str | None
) -> None:
    began = saga(before, delivery(D.CANCELLED))

    assert service_level(change(began, began.but(status=after)), NOW) == result


@pytest.mark.parametrize(("tries", "deferrals", "result"), [(1, 0, "refused"), (4, 0, "gave_up"), (1, 3, "gave_up")])
def test_a_failure_is_ours_when_tries_or_waits_were_used_up(tries: int, deferrals: int, result: str) -> None:
    failed = delivery(D.FAILED, tries=tries, deferrals=deferrals)
    before = saga(N.COMPENSATING, failed, plan=Plan())

    assert service_level(change(before, before.but(status=N.FAILED)), NOW) == result


def test_what_was_taken_back_had_been_with_its_provider() -> None:
    before = saga(N.COMPENSATING, delivery(D.SENT), cancelled_by="somebody")
    after = before.but(status=N.FAILED, deliveries=(delivery(D.RETRACTED),))

    assert service_level(change(before, after), NOW) is None


def counted(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"carillon_{name}", labels)


def test_a_status_on_the_way_is_no_end_and_a_replay_is_not_judged() -> None:
    metrics = Metrics()
    queued = saga(N.PENDING)
    replayed = saga(N.QUEUED, delivery(D.SENDING, epoch=1), epoch=1)

    tell(metrics, [change(queued, queued.but(status=N.QUEUED)), sent(replayed)], NOW)

    assert counted(metrics, "notifications_ended_total", status="sent") == 1
    assert counted(metrics, "notifications_ended_total", status="queued") is None
    assert counted(metrics, "service_level_total", result="in_time") == 0


def test_delivered_and_read_at_once_is_one_arrival() -> None:
    metrics = Metrics()
    before = saga(N.SENT, delivery(D.SENT), accepted=30)
    arrived = change(before, before.but(status=N.DELIVERED, deliveries=(delivery(D.READ),)))
    arrived.entries += [Entry(what=what, channel=EMAIL, why="said so") for what in (What.DELIVERED, What.READ)]

    tell(metrics, [arrived], NOW)

    assert counted(metrics, "accepted_to_delivered_seconds_count", channel="email") == 1
    assert counted(metrics, "accepted_to_delivered_seconds_sum", channel="email") == 30


def test_members_of_a_digest_are_in_its_one_dead_letter() -> None:
    metrics = Metrics()
    alone, member = saga(N.QUEUED), saga(N.QUEUED, digest_id=uuid4())

    tell(metrics, [change(one, one.but(status=N.UNKNOWN)) for one in (alone, member)], NOW)

    assert counted(metrics, "dead_letters_total", kind="unknown") == 1
    assert counted(metrics, "notifications_ended_total", status="unknown") == 2
    assert counted(metrics, "service_level_total", result="unknown") == 1
