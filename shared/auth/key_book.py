"""The keys of the database, remembered for a few seconds, so that a request seldom asks for one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.access import Access, Caller
from shared.auth.key_format import digest, is_key
from shared.coalesce import Coalescer
from shared.errors import CarillonError, DatabaseUnavailable
from shared.rates import Rate, parse_rate
from shared.store.keys import Keys as StoredKeys
from shared.store.keys import LiveKey

FRESH_SECONDS = 5.0
"""A key that was revoked, or made, is known everywhere after that."""

NOTE_USE_SECONDS = 60.0
MOST_REMEMBERED = 10_000
MOST_WAITING = 1_000
"""So many look-ups wait at most: a flood of made-up keys takes one connection, and no memory."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Entry:
    """What is known of a hash, until when, and when its next use is worth noting. No caller: nobody has it."""

    caller: Caller | None
    key_id: UUID | None
    fresh_until: float
    note_at: float


class KeyBook:
    """What one process knows of keys, those that nobody has too."""

    def __init__(
        self, stored: StoredKeys, default_rate: Rate | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stored = stored
        self._default_rate = default_rate
        self._clock = clock
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._asking: Coalescer[bytes, Entry] = Coalescer(self._ask, max_size=200)
        self._used: set[UUID] = set()
        self._noting: asyncio.Task[None] | None = None

    async def find(self, key: str) -> Caller | None:
        """Find out who has a key; None if nobody has.

        Raises:
            DatabaseUnavailable: it is not known, and cannot be asked for.
        """
        hashed = digest(key)
        entry = self._entries.get(hashed)
        if entry is None or entry.fresh_until <= self._clock():
            if not is_key(key):
                return None
            if len(self._asking) >= MOST_WAITING:
                raise DatabaseUnavailable("as many keys are asked for as may be")
            entry = await self._asking.submit(hashed)
        if entry.key_id is not None and entry.note_at <= self._clock():
            entry.note_at = self._clock() + NOTE_USE_SECONDS
            self._note(entry.key_id)
        return entry.caller

    def forget(self, hashed: bytes) -> None:
        """Ask for a key anew at its next use: it was revoked here."""
        self._entries.pop(hashed, None)

    async def close(self) -> None:
        """Finish what is under way."""
        await self._asking.close()
        if self._noting:
            await self._noting

    async def _ask(self, hashes: Sequence[bytes]) -> Sequence[Entry]:
        asked_at = self._clock()
        found = await self._stored.find(hashes)
        return [self._remember(hashed, found.get(hashed), asked_at) for hashed in hashes]

    def _remember(self, hashed: bytes, key: LiveKey | None, asked_at: float) -> Entry:
        lives = key.lives_seconds if key and key.lives_seconds is not None else FRESH_SECONDS
        unused = key.unused_seconds if key and key.unused_seconds is not None else NOTE_USE_SECONDS
        entry = Entry(
            caller=self._caller(key) if key else None,
            key_id=key.id if key else None,
            fresh_until=asked_at + min(FRESH_SECONDS, lives),
            note_at=asked_at + max(0.0, NOTE_USE_SECONDS - unused),
        )
        self._entries[hashed] = entry
        self._entries.move_to_end(hashed)
        if len(self._entries) > MOST_REMEMBERED:
            self._entries.popitem(last=False)
        return entry

    def _caller(self, key: LiveKey) -> Caller:
        rate = self._default_rate if key.rate_limit is None else parse_rate(key.rate_limit)
        scopes = frozenset(Access(scope) for scope in key.scopes)
        return Caller(tenant=key.tenant, name=f"key:{key.id}", scopes=scopes, rate=rate)

    def _note(self, key_id: UUID) -> None:
        self._used.add(key_id)
        if self._noting is None or self._noting.done():
            self._noting = asyncio.create_task(self._write_used())

    async def _write_used(self) -> None:
        """Write when keys were used, beside the requests. What fails is written a minute later."""
        while self._used:
            used, self._used = list(self._used), set()
            try:
                await self._stored.note_use(used)
            except CarillonError as failure:
                log.warning("the use of keys could not be noted", extra={"error": type(failure).__name__})
