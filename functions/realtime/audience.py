"""Who listens: the open sockets and streams of this process, by tenant and user."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

from shared.store.inbox import Place

DISMISSAL_SECONDS = 5.0
GOING_AWAY = 1001


@dataclass(eq=False, slots=True, kw_only=True)
class Listener:
    """One open socket or stream, and how far it has been told: woken by a hint, ended once, with a code.

    None in the place of a number: it begins with what comes after the first look.
    """

    tenant: str
    user_id: str
    cursor: int | None = None
    change: int | None = None
    hinted: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def place(self) -> Place:
        """How far it has been told."""
        return Place(self.tenant, self.user_id, self.cursor, self.change)

    def end(self, code: int) -> None:
        """Ask it to end; the first code counts."""
        if not self.ended.done():
            self.ended.set_result(code)


class Audience:
    """The listeners of one process."""

    def __init__(self) -> None:
        self._listeners: dict[tuple[str, str], set[Listener]] = {}
        self._is_dismissed = False
        self._empty = asyncio.Event()
        self._empty.set()

    def add(self, listener: Listener) -> None:
        """Let a listener hear of its user."""
        self._listeners.setdefault((listener.tenant, listener.user_id), set()).add(listener)
        self._empty.clear()
        if self._is_dismissed:  # it was let in while the others were told to go
            listener.end(GOING_AWAY)

    def remove(self, listener: Listener) -> None:
        """Forget a listener."""
        key = (listener.tenant, listener.user_id)
        listeners = self._listeners.get(key, set())
        listeners.discard(listener)
        if not listeners:
            self._listeners.pop(key, None)
        if not self._listeners:
            self._empty.set()

    def hint(self, tenant: str, user_id: str) -> None:
        """Wake the listeners of a user."""
        for listener in self._listeners.get((tenant, user_id), ()):
            listener.hinted.set()

    def places(self) -> list[Place]:
        """Say how far each person has been told at least; who could not look even once is woken to try again."""
        return [self._least(key, listeners) for key, listeners in self._listeners.items()]

    @staticmethod
    def _least(key: tuple[str, str], listeners: set[Listener]) -> Place:
        cursors, changes = [], []
        for listener in listeners:
            if listener.cursor is None or listener.change is None:
                listener.hinted.set()
            else:
                cursors.append(listener.cursor)
                changes.append(listener.change)
        if not cursors:
            return Place(*key, _BEYOND_ALL, _BEYOND_ALL)
        return Place(*key, min(cursors), min(changes))

    async def dismiss(self) -> None:
        """Ask every listener to close, and wait until they have, a few seconds at most."""
        self._is_dismissed = True
        for listeners in list(self._listeners.values()):
            for listener in listeners:
                listener.end(GOING_AWAY)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), DISMISSAL_SECONDS)


_BEYOND_ALL = 2**62
