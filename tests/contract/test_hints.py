"""Hints by way of Postgres: heard by whoever listens now, across lost connections, and never in anybody's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.inbox.hints import write_hint
from shared.store import Store
from shared.store.hints import MOST_BYTES
from tests.contract.listening import eventually

LISTENING = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'carillon hints'
"""


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Store]:
    """Another process on the same database."""
    opened = Store(database_url)
    await opened.open()
    yield opened
    await opened.close()


async def test_hints_are_heard_in_every_process_that_listens(store: Store, other: Store) -> None:
    here: list[bytes] = []
    there: list[bytes] = []
    await store.hints.listen(here.append)
    await other.hints.listen(there.append)
    said = [write_hint("acme", user) for user in ("1", "\u00fc", 'a"b\n')]

    for hint in said:
        store.hints.send(hint)

    await eventually(lambda: len(here) == len(there) == 3)
    assert here == there == said


async def test_listeners_of_one_process_share_a_connection(store: Store) -> None:
    heard: list[bytes] = []
    listeners = [await store.hints.listen(heard.append) for _ in range(3)]

    assert len(await store.database.fetch(LISTENING)) == 1
    for listener in listeners:
        await listener.cancel()
        await listener.cancel()
    async with asyncio.timeout(10):
        while await store.database.fetch(LISTENING):  # noqa: ASYNC110 - the server takes a moment to see it go
            await asyncio.sleep(0.01)


async def test_hints_that_come_together_are_told_once(store: Store) -> None:
    heard: list[bytes] = []
    await store.hints.listen(heard.append)

    for _ in range(100):
        store.hints.send(b"one")
    store.hints.send(b"last")

    await eventually(lambda: b"last" in heard)
    assert heard == [b"one", b"last"]


async def test_a_listener_whose_connection_was_cut_hears_again(store: Store) -> None:
    heard: list[bytes] = []
    await store.hints.listen(heard.append)
    ((pid,),) = await store.database.fetch(LISTENING)

    await store.database.fetch("SELECT pg_terminate_backend(%s)", (pid,))

    def is_heard() -> bool:
        store.hints.send(b"again")  # what is told while nobody listens is lost
        return bool(heard)

    await eventually(is_heard)
    assert set(heard) == {b"again"}


async def test_a_hint_that_is_too_long_is_dropped_alone(store: Store) -> None:
    heard: list[bytes] = []
    await store.hints.listen(heard.append)

    for hint in (b"x" * (MOST_BYTES + 1), b"nul: \x00", b"y" * MOST_BYTES, b"last"):
        store.hints.send(hint)

    await eventually(lambda: b"last" in heard)
    assert heard == [b"y" * MOST_BYTES, b"last"]


async def test_a_listener_that_fails_takes_no_hint_from_another(store: Store) -> None:
    heard: list[bytes] = []

    def fail(body: bytes) -> None:
        raise ZeroDivisionError

    await store.hints.listen(fail)
    await store.hints.listen(heard.append)

    store.hints.send(b"one")
    store.hints.send(b"two")

    await eventually(lambda: heard == [b"one", b"two"])


async def test_where_the_database_is_away_hints_are_dropped(store: Store) -> None:
    away = Store("postgresql://nobody@127.0.0.1:1/none")

    away.hints.send(b"lost")
    await away.hints.close()
    away.hints.send(b"after the end")

    heard: list[bytes] = []
    await store.hints.listen(heard.append)
    store.hints.send(b"last")
    await eventually(lambda: bool(heard))
    assert heard == [b"last"]
