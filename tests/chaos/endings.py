"""Processes that ended though nobody struck them."""

from __future__ import annotations

import logging
import signal
from types import TracebackType

SUPERVISOR = logging.getLogger("carillon.local.processes")


class Endings(logging.Handler):
    """Hears of every process that the supervisors start again."""

    def __init__(self) -> None:
        super().__init__()
        self.unstruck: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note one that was not killed."""
        code = getattr(record, "code", None)
        if code != -signal.SIGKILL:
            self.unstruck.append(f"{getattr(record, 'function', '')} with {code}")

    def __enter__(self) -> Endings:
        SUPERVISOR.addHandler(self)
        SUPERVISOR.propagate = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, at: TracebackType | None
    ) -> None:
        SUPERVISOR.removeHandler(self)
        SUPERVISOR.propagate = True
