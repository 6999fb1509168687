"""One JSON line per fact, with ids only: never an address, a number, a token or a body."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType

STEP: ContextVar[str] = ContextVar("step", default="")
"""The function in whose name this task works."""

CORRELATION: ContextVar[str | None] = ContextVar("correlation", default=None)
"""The client's own name for what it asked, while its request is answered."""

OURS = ("shared.", "functions.", "infrastructure.", "carillon.")
"""How the names of our own loggers and modules begin."""

_END_OF_THE_CONSTANT = re.compile(r"[:\n%{<]")

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
        "digest_id",
        "epoch",
        "erasure_id",
        "error",
        "error_id",
        "event_id",
        "exchange",
        "failure_id",
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
            "message": _message(record),
            "logger": record.name,
        }
        if STEP.get():
            line["step"] = STEP.get()
        if CORRELATION.get():
            line["correlation_id"] = CORRELATION.get()
        line |= {key: value for key, value in record.__dict__.items() if key in _ALLOWED and value is not None}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["place"], line["from"] = _places(record.exc_info[2])
        return json.dumps(line, default=str)


def _message(record: logging.LogRecord) -> str:
    """Write what we say ourselves; of what a library says, what is the same every time.

    A library may put anything into its sentences: asyncio the text of an exception, an HTTP server the line that it
    could not read. What stands before the first colon, line or gap of its pattern is its own.
    """
    if record.name.startswith(OURS):
        return record.getMessage()
    return _END_OF_THE_CONSTANT.split(str(record.msg), maxsplit=1)[0].strip() or "something was said"


def _places(trace: TracebackType | None) -> tuple[str, str]:
    """Name where an exception was raised, and the last place of ours on the way there."""
    place = ours = ""
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        ours = place if str(trace.tb_frame.f_globals.get("__name__", "")).startswith(OURS) else ours
        trace = trace.tb_next
    return place, ours


def configure(level: str = "INFO") -> None:
    """Send every log line of this process to standard error, as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn.access", "uvicorn.error", "websockets", "asyncio", "mail.log"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    sys.excepthook = _uncaught
    threading.excepthook = lambda caught: _uncaught(caught.exc_type, caught.exc_value, caught.exc_traceback)
    # pika reports every failed connection attempt with a stack trace of its own; ours says it in one line.
    logging.getLogger("pika").setLevel(logging.CRITICAL)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the log as it is while others are at work, who would set it up anew.

    With LOG_EXECUTION_ID functions-framework does: a handler that lets everything through takes the place of ours, and
    the loggers that are there are turned off.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    silent = {name for name, logger in _loggers() if logger.disabled}
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for name, logger in _loggers():
            logger.disabled = name in silent


def _loggers() -> list[tuple[str, logging.Logger]]:
    known = logging.getLogger().manager.loggerDict
    return [(name, logger) for name, logger in known.items() if isinstance(logger, logging.Logger)]


def _uncaught(kind: type[BaseException], failure: BaseException | None, trace: TracebackType | None) -> None:
    """Say that nobody caught an exception, as everything is said here: without its text."""
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("carillon.process").critical("nobody caught a failure", exc_info=(kind, failure or kind(), trace))
