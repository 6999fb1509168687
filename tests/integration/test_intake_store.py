"""What is accepted is kept once, whoever posts it how often."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import UUID

from shared.ids import notification_id
from shared.store import Store
from shared.store.intake import Kept, NewNotification


def order(number: int, body: bytes = b"body") -> NewNotification:
    return NewNotification(
        id=notification_id("default", "shop", str(number), "1"),
        tenant="default",
        user_id="1",
        event_type="order_created",
        source="shop",
        body_hash=body,
        data={"message": "hello"},
    )


async def count(store: Store) -> int:
    return int((await store.database.fetch("SELECT count(*) FROM notifications"))[0][0])


async def test_a_set_of_new_events_is_kept_and_waits_to_be_routed(store: Store) -> None:
    kept = await store.intake.keep([order(number) for number in range(5)])

    assert kept == [(Kept.NEW, "pending")] * 5
    assert await store.views.counts("default") == {"pending": 5}


async def test_answers_come_in_the_order_of_the_questions(store: Store) -> None:
    await store.intake.keep([order(2), order(4)])

    kept = await store.intake.keep([order(5), order(4), order(3), order(2), order(1)])

    assert [word for word, _ in kept] == [Kept.NEW, Kept.KNOWN, Kept.NEW, Kept.KNOWN, Kept.NEW]


async def test_a_copy_within_one_set_is_known(store: Store) -> None:
    kept = await store.intake.keep([order(1), order(1)])

    assert [word for word, _ in kept] == [Kept.NEW, Kept.KNOWN]
    assert await count(store) == 1


async def test_a_copy_tells_how_far_the_first_has_come(store: Store) -> None:
    await store.intake.keep([order(1)])
    await store.database.run("UPDATE notifications SET status = 'skipped'")

    kept = await store.intake.keep([order(1)])

    assert kept == [(Kept.KNOWN, "skipped")]


async def test_the_same_key_with_another_body_is_a_conflict_and_changes_nothing(store: Store) -> None:
    await store.intake.keep([order(1, b"first")])

    kept = await store.intake.keep([order(1, b"second"), order(2)])

    assert [word for word, _ in kept] == [Kept.CONFLICT, Kept.NEW]
    rows = await store.database.fetch("SELECT body_hash FROM notifications WHERE id = %s", (order(1).id,))
    assert bytes(rows[0][0]) == b"first"


async def test_the_same_key_with_another_body_within_one_set_is_a_conflict(store: Store) -> None:
    kept = await store.intake.keep([order(1, b"first"), order(1, b"second"), order(1, b"first")])

    assert [word for word, _ in kept] == [Kept.NEW, Kept.CONFLICT, Kept.KNOWN]


async def test_64_copies_at_once_make_one_notification(store: Store) -> None:
    answers = await asyncio.gather(*[store.intake.keep([order(1)]) for _ in range(64)])

    assert Counter(word for answer in answers for word, _ in answer) == {Kept.NEW: 1, Kept.KNOWN: 63}
    assert await count(store) == 1


async def test_conflicting_bodies_at_once_leave_one_of_them_and_no_doubt_which(store: Store) -> None:
    answers = await asyncio.gather(*[store.intake.keep([order(1, bytes([n % 2]))]) for n in range(40)])

    words = Counter(word for answer in answers for word, _ in answer)
    assert words == {Kept.NEW: 1, Kept.KNOWN: 19, Kept.CONFLICT: 20}


async def test_sets_in_opposite_orders_from_several_processes_never_deadlock(store: Store, database_url: str) -> None:
    other = Store(database_url)
    await other.open()
    forth = [order(number) for number in range(300)]

    answers = []
    for _ in range(5):
        sets = [(store, forth), (other, forth[::-1]), (store, forth[::-1]), (other, forth)]
        answers += await asyncio.gather(*[which.intake.keep(items) for which, items in sets])
        await store.database.run("DELETE FROM notifications")
    await other.close()

    assert Counter(word for answer in answers for word, _ in answer)[Kept.NEW] == 5 * 300


async def test_what_was_kept_is_looked_at_by_the_sweep_and_ends_within_a_day(store: Store) -> None:
    await store.intake.keep([order(1)])

    rows = await store.database.fetch(
        "SELECT next_look_at - created_at BETWEEN interval '29 s' AND interval '31 s',"
        " expires_at - created_at BETWEEN interval '23.9 h' AND interval '24.1 h' FROM notifications"
    )
    assert rows == [(True, True)]


async def test_a_row_that_cannot_be_kept_leaves_none_of_its_set_behind(store: Store) -> None:
    bad = order(2)
    bad.data["message"] = "\x00"

    failure: Exception | None = None
    try:
        await store.intake.keep([order(1), bad, order(3)])
    except Exception as refused:
        failure = refused

    assert failure is not None
    assert await count(store) == 0


def test_the_same_event_for_two_users_is_two_notifications() -> None:
    names: set[UUID] = {notification_id("default", "shop", "1", user) for user in ("1", "2", "1")}

    assert len(names) == 2
