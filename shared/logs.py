"""One JSON line per fact, with ids only: never an address, a number, a token or a body."""

from __future__ import annotations

import json
import logging
import sys
import time
from contextvars import ContextVar

STEP: ContextVar[str] = ContextVar("step", default="")
"""The function in whose name this task works."""

CORRELATION: ContextVar[str | None] = ContextVar("correlation", default=None)
"""The client's own name for what it asked, while its request is answered."""

_ALLOWED = frozenset(
    {
        "attempt",
        "backlog",
        "channel",
        "code",
        "connection",
        "correlation_id",
        "count",
        "dead_letter",
        "delay_seconds",
        "epoch",
        "error",
        "error_id",
        "event_id",
        "exchange",
        "function",
        "key_id",
        "migration",
        "notification_id",
        "outcome",
        "pause_seconds",
        "place",
        "port",
        "provider",
        "queue",
        "reason",
        "sign",
        "source",
        "status",
        "tenant",
        "traceparent",
        "type",
    }
)
"""What a line may carry. Anything else is left out, so that nobody's data slips in."""


class JsonLines(logging.Formatter):
    """Format a record as one line of JSON. Of an exception, its type and place; its text may hold people's data."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "logger": record.name,
        }
        if STEP.get():
            line["step"] = STEP.get()
        if CORRELATION.get():
            line["correlation_id"] = CORRELATION.get()
        line |= {key: value for key, value in record.__dict__.items() if key in _ALLOWED and value is not None}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["place"] = _place(record)
        return json.dumps(line, default=str)


def _place(record: logging.LogRecord) -> str:
    trace = record.exc_info[2] if record.exc_info else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""


def configure(level: str = "INFO") -> None:
    """Send every log line of this process to standard error, as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn.access", "uvicorn.error", "websockets", "asyncio", "mail.log"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # pika reports every failed connection attempt with a stack trace of its own; ours says it in one line.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
