"""What answers over HTTP in this process, as its server sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, runtime_checkable

Scope = dict[str, Any]
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


@runtime_checkable
class Dismissing(Protocol):
    """An application with clients that would not leave by themselves."""

    async def dismiss(self) -> None:
        """Ask them to, before the server waits for all who are here."""
