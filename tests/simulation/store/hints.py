"""Hints where nobody listens: they may be lost."""

from __future__ import annotations

from shared.store.hints import Hints


class MemoryHints(Hints):
    """The room of hints."""

    def __init__(self) -> None:
        """Nothing is held."""

    def send(self, body: bytes) -> None:
        """Nobody listens."""
