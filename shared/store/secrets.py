"""Secrets that the installation makes for itself: all its processes share them, and nobody has to set them."""

from __future__ import annotations

import secrets as chance

from shared.store.database import Database

_SECRET_BYTES = 32
_FIRST = "INSERT INTO secrets (name, value) VALUES (%b, %b) ON CONFLICT DO NOTHING"
_READ = "SELECT value FROM secrets WHERE name = %b"


class Secrets:
    """The room of whoever signs something for later."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, bytes] = {}

    async def get(self, name: str) -> bytes:
        """Read a secret, made on the first question; it never changes."""
        if name not in self._known:
            await self._database.run(_FIRST, (name, chance.token_bytes(_SECRET_BYTES)))
            rows = await self._database.fetch(_READ, (name,))
            self._known[name] = bytes(rows[0][0])
        return self._known[name]
