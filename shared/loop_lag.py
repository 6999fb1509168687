"""How late the event loop comes to what is due: whoever holds it up, holds up everybody in the process."""

from __future__ import annotations

import asyncio

from prometheus_client import Histogram

LOOK_SECONDS = 1.0


class LoopLag:
    """Ask the loop to come by once a second, and note how late it was."""

    def __init__(self, lag: Histogram, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._lag = lag
        self._look_seconds = look_seconds
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, in the running loop."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._look_seconds, self._note, loop, loop.time() + self._look_seconds)

    def stop(self) -> None:
        """End."""
        if self._timer:
            self._timer.cancel()

    def _note(self, loop: asyncio.AbstractEventLoop, due_at: float) -> None:
        self._lag.observe(max(0.0, loop.time() - due_at))
        self.start()
