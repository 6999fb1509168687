"""What a listener is told, and when: the inbox is the truth, a hint only says when to look."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass

from functions.realtime.audience import Audience, Listener
from shared.coalesce import Coalescer
from shared.errors import Transient
from shared.inbox import frame, write_item
from shared.store.inbox import Change, Inbox, News, Place

LOOKS_AT_ONCE = 200
"""Places that one statement looks at; the more of them, the fewer items of each (`items_each`)."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """One frame, and how far who has it has been told."""

    kind: str
    text: str
    cursor: int
    change: int


class Following:
    """The looks of one process into inboxes: those of many listeners at once are one statement."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._looks: Coalescer[Place, News] = Coalescer(self._look, max_size=LOOKS_AT_ONCE, flushers=2)

    async def close(self) -> None:
        """Look no more."""
        await self._looks.close()

    async def begin(self, listener: Listener) -> None:
        """Let a listener that names no cursor begin with what comes from now on.

        Raises:
            Transient: nobody knows now where that is.
        """
        if listener.cursor is None:
            news = await self._looks.submit(listener.place)
            listener.cursor = news.last
            if listener.change is None:
                listener.change = news.changes

    async def follow(self, listener: Listener) -> AsyncGenerator[Told, None]:
        """Tell a listener what there is and what comes, without end. What it took last is where it stands.

        A database that is away is looked at again after the next hint, or when the watch wakes everybody.
        """
        counted: int | None = None
        while True:
            listener.hinted.clear()
            try:
                news = await self._looks.submit(listener.place)
            except Transient:
                await listener.hinted.wait()
                continue
            for told in _tell(listener, news):
                yield told
            if not news.is_all:
                continue
            if news.unread != counted:
                counted = news.unread
                yield _count(listener, counted)
            await listener.hinted.wait()

    async def _look(self, places: Sequence[Place]) -> Sequence[News]:
        once = list(dict.fromkeys(places))
        found = dict(zip(once, await self._inbox.news(once), strict=True))
        return [found[place] for place in places]


async def watch(inbox: Inbox, audience: Audience, seconds: float) -> None:
    """Look now and then, in one statement, who was told less than there is, and wake them: hints may be lost."""
    while True:
        await asyncio.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
        try:
            places = audience.places()
            for tenant, user_id in await inbox.behind(places) if places else ():
                audience.hint(tenant, user_id)
        except Transient:
            log.info("nobody can tell who has missed something; it is looked again")
        except Exception:  # a bug of ours must not leave everybody waiting for hints alone
            log.exception("the watch over the sockets failed; it goes on")


def _tell(listener: Listener, news: News) -> Iterator[Told]:
    """Write what is new, and move the listener behind each frame once it was taken."""
    if listener.cursor is None:
        listener.cursor = news.last
    if listener.change is None:
        listener.change = news.changes
    for item in news.items:
        yield Told("notification", frame("notification", **write_item(item)), item.cursor, listener.change)
        listener.cursor = item.cursor
    if news.is_all_items:
        listener.cursor = max(listener.cursor, news.last)
    if news.marks:
        number = news.marks[-1].number
        yield Told("marks", _marks(news.marks, number), listener.cursor, number)
        listener.change = number
    if news.is_all_marks:
        listener.change = max(listener.change, news.changes)


def _marks(marks: Sequence[Change], number: int) -> str:
    there = [mark for mark in marks if not mark.is_retracted]
    return frame(
        "marks",
        change=number,
        read=[str(mark.notification_id) for mark in there if mark.is_read],
        unread=[str(mark.notification_id) for mark in there if not mark.is_read],
        archived=[str(mark.notification_id) for mark in there if mark.is_archived],
        removed=[str(mark.notification_id) for mark in marks if mark.is_retracted],
    )


def _count(listener: Listener, count: int) -> Told:
    cursor, change = listener.cursor or 0, listener.change or 0
    return Told("unread_count", frame("unread_count", count=count, cursor=cursor, change=change), cursor, change)
