"""Nobody is forgotten in the simulation: there is no personal data in it."""

from __future__ import annotations

from uuid import UUID

from shared.store.erasures import Erasures


class MemoryErasures(Erasures):
    """The room of erasures, in which there is nothing to do."""

    def __init__(self) -> None:
        """Nothing is held."""

    async def due(self) -> list[UUID]:
        """Nothing is."""
        return []
