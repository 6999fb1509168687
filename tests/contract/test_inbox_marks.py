"""Marks in an inbox, in Postgres and in memory: told to who was away, counted, and nobody else's business."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from shared.saga import Receipt
from shared.store.inbox import Change, Mark, News, Place, Seen, Shelf, items_each
from shared.store.inbox_sql import MOST_CHANGES, MOST_ITEMS
from tests.contract.stage import TENANT, USER, WEBSOCKET, Stage
from tests.contract.test_store_inbox import item


async def put(stage: Stage, count: int, *, user: str = USER) -> list[UUID]:
    """Put messages one after the other, so that their cursors are in the order of the list."""
    keys = [uuid4() for _ in range(count)]
    for key in keys:
        await stage.store.inbox.put([item(key, user=user)])
    return keys


async def news(stage: Stage, cursor: int | None = None, change: int | None = None, *, user: str = USER) -> News:
    (found,) = await stage.store.inbox.news([Place(TENANT, user, cursor, change)])
    return found


async def test_who_was_away_learns_how_things_are_marked_now(stage: Stage) -> None:
    one, two, three = await put(stage, 3)
    inbox = stage.store.inbox
    before = await news(stage)

    await inbox.mark(TENANT, USER, Mark.READ, [one, two, uuid4()])
    await inbox.mark(TENANT, USER, Mark.UNREAD, [one])
    await inbox.mark(TENANT, USER, Mark.ARCHIVE, [three])

    found = await news(stage, before.last, before.changes)
    assert (before.last, before.changes, before.unread) == (3, 0, 3)
    assert (found.last, found.changes, found.unread, found.items) == (3, 4, 1, [])
    assert found.marks == [
        Change(two, 2, is_read=True, is_archived=False, is_retracted=False),
        Change(one, 3, is_read=False, is_archived=False, is_retracted=False),
        Change(three, 4, is_read=False, is_archived=True, is_retracted=False),
    ]
    assert (await news(stage, 3, 3)).marks == found.marks[2:]
    assert (await news(stage, 3, 4)).marks == []


async def test_what_is_marked_so_already_is_told_to_nobody(stage: Stage) -> None:
    (key,) = await put(stage, 1)
    inbox = stage.store.inbox

    said = [await inbox.mark(TENANT, USER, mark, [key, key]) for mark in (Mark.READ, Mark.READ, Mark.UNARCHIVE)]

    assert said == [{key}, set(), set()]
    assert (await news(stage)).changes == 1


async def test_the_same_mark_by_many_at_once_counts_once(stage: Stage) -> None:
    keys = await put(stage, 3)

    said = await asyncio.gather(*[stage.store.inbox.mark(TENANT, USER, Mark.READ, keys) for _ in range(6)])

    assert sorted(len(each) for each in said) == [0, 0, 0, 0, 0, 3]
    assert {mark.notification_id for mark in (await news(stage, 0, 0)).marks} == set(keys)


async def test_nobody_marks_for_another_person_or_tenant(stage: Stage) -> None:
    (key,) = await put(stage, 1)
    inbox = stage.store.inbox

    assert await inbox.mark(TENANT, "2", Mark.READ, [key]) == set()
    assert await inbox.mark("other", USER, Mark.READ, [key]) == set()
    assert (await news(stage)).unread == 1


async def test_a_mark_can_be_taken_back(stage: Stage) -> None:
    (key,) = await put(stage, 1)
    inbox = stage.store.inbox
    seen = []

    for mark in (Mark.READ, Mark.ARCHIVE, Mark.UNREAD, Mark.UNARCHIVE):
        await inbox.mark(TENANT, USER, mark, [key])
        (found,) = await inbox.since(TENANT, USER, 0)
        seen.append((found.read_at is not None, found.archived_at is not None, (await news(stage)).unread))

    assert seen == [(True, False, 0), (True, True, 0), (False, True, 0), (False, False, 1)]


async def test_what_is_taken_back_is_told_and_no_longer_counted(stage: Stage) -> None:
    gone, kept = await put(stage, 2)
    async with stage.store.sagas.transaction() as sagas:
        await sagas.retract([gone])

    found = await news(stage, 2, 0)

    assert (found.unread, found.marks) == (1, [Change(gone, 1, is_read=False, is_archived=False, is_retracted=True)])
    assert await stage.store.inbox.mark(TENANT, USER, Mark.READ, [gone]) == set()
    assert [
        one.notification_id for one in await stage.store.inbox.page(TENANT, USER, Shelf.ALL, before=None, limit=9)
    ] == [kept]


async def test_many_people_are_looked_at_in_one_statement(stage: Stage) -> None:
    await put(stage, 3)
    await put(stage, 2, user="2")

    first, second, nobody, again = await stage.store.inbox.news(
        [Place(TENANT, USER, 1, 0), Place(TENANT, "2", 0, 0), Place(TENANT, "nobody"), Place(TENANT, USER)]
    )

    assert [found.cursor for found in first.items] == [2, 3]
    assert [found.cursor for found in second.items] == [1, 2]
    assert (nobody.last, nobody.unread, nobody.items, nobody.is_all) == (0, 0, [], True)
    assert (again.last, again.items, again.is_all) == (3, [], True)


async def test_a_long_absence_is_told_in_bounded_pieces(stage: Stage) -> None:
    keys = [uuid4() for _ in range(MOST_CHANGES + 1)]
    await stage.store.inbox.put([item(key) for key in keys])
    await stage.store.inbox.mark(TENANT, USER, Mark.READ, keys)

    first = await news(stage, 0, 0)
    rest = await news(stage, first.items[-1].cursor, first.marks[-1].number)

    assert (len(first.items), len(first.marks), first.is_all_items, first.is_all_marks) == (
        MOST_ITEMS, MOST_CHANGES, False, False,
    )  # fmt: skip
    assert [found.cursor for found in rest.items[:1]] == [MOST_ITEMS + 1]
    assert (len(rest.marks), rest.is_all_marks) == (1, True)


def test_the_more_people_are_looked_at_the_less_of_each_is_in_memory() -> None:
    assert [items_each(people) for people in (0, 1, 5, 50, 100, 1000)] == [100, 100, 100, 10, 5, 5]


async def test_who_is_behind_is_found_among_all(stage: Stage) -> None:
    (key,) = await put(stage, 1)
    await put(stage, 2, user="2")
    await stage.store.inbox.mark(TENANT, USER, Mark.READ, [key])
    inbox = stage.store.inbox

    up_to_date = [Place(TENANT, USER, 1, 1), Place(TENANT, "2", 2, 0), Place(TENANT, "nobody", 0, 0)]

    assert await inbox.behind(up_to_date) == []
    assert await inbox.behind([*up_to_date, Place("other", USER, 0, 0)]) == []
    assert await inbox.behind([Place(TENANT, USER, 1, 0), *up_to_date[1:]]) == [(TENANT, USER)]
    assert sorted(await inbox.behind([Place(TENANT, USER, 0, 1), Place(TENANT, "2", 1, 0)])) == [
        (TENANT, USER), (TENANT, "2"),
    ]  # fmt: skip


@pytest.mark.parametrize(("shelf", "cursors"), [(Shelf.ALL, [4, 2, 1]), (Shelf.UNREAD, [4, 1]), (Shelf.ARCHIVED, [3])])
async def test_a_page_holds_what_is_on_its_shelf_newest_first(stage: Stage, shelf: Shelf, cursors: list[int]) -> None:
    _, two, three, _ = await put(stage, 4)
    inbox = stage.store.inbox
    await inbox.mark(TENANT, USER, Mark.READ, [two])
    await inbox.mark(TENANT, USER, Mark.ARCHIVE, [three])

    found = await inbox.page(TENANT, USER, shelf, before=None, limit=10)
    below = await inbox.page(TENANT, USER, shelf, before=cursors[0], limit=1)

    assert [one.cursor for one in found] == cursors
    assert [one.cursor for one in below] == cursors[1:2]
    assert await inbox.page("other", USER, shelf, before=None, limit=10) == []


async def test_what_is_unread_is_listed_oldest_first_up_to_a_cursor(stage: Stage) -> None:
    keys = await put(stage, 4)
    await stage.store.inbox.mark(TENANT, USER, Mark.READ, keys[:1])

    assert await stage.store.inbox.unread_ids(TENANT, USER, 3, 10) == keys[1:3]
    assert await stage.store.inbox.unread_ids(TENANT, USER, 4, 1) == keys[1:2]


async def test_what_was_read_is_a_receipt_of_its_own(stage: Stage) -> None:
    key = (await stage.route(1, WEBSOCKET)).notification_id
    await stage.store.inbox.put([item(key)])
    inbox, seen = stage.store.inbox, [Seen(TENANT, USER, key), Seen(TENANT, "2", key)]

    noted = [await inbox.note(seen, receipt) for receipt in (Receipt.DELIVERED, Receipt.READ, Receipt.READ)]

    assert noted == [[(key, 0)], [(key, 0)], []]
    assert 14 < (await stage.next_look_in(key) or 0) <= 15
    async with stage.store.sagas.transaction() as sagas:
        said = (await sagas.receipts([key]))[key]
    assert {one.receipt for one in said} == {Receipt.DELIVERED, Receipt.READ}
