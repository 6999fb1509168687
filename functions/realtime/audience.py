"""Who listens: the open sockets of this process, by tenant and user."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

DISMISSAL_SECONDS = 5.0


@dataclass(eq=False, slots=True, kw_only=True)
class Listener:
    """One open socket: woken by a hint, dismissed when this process ends."""

    tenant: str
    user_id: str
    hinted: asyncio.Event = field(default_factory=asyncio.Event)
    dismissed: asyncio.Event = field(default_factory=asyncio.Event)


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
            listener.dismissed.set()

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

    async def dismiss(self) -> None:
        """Ask every listener to close, and wait until they have, a few seconds at most."""
        self._is_dismissed = True
        for listeners in list(self._listeners.values()):
            for listener in listeners:
                listener.dismissed.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), DISMISSAL_SECONDS)
