"""One JSON line per fact: ids and reasons, and nobody's data."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from shared import logs, serve
from shared.coalesce import Coalescer
from shared.logs import STEP, JsonLines


class Lines:
    """A logger whose lines can be read."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.logger = self.named("carillon.test")

    def named(self, name: str) -> logging.Logger:
        """Make a logger of another name that writes here, too."""
        logger = logging.Logger(name)
        handler = logging.StreamHandler(self.stream)
        handler.setFormatter(JsonLines())
        logger.addHandler(handler)
        return logger

    def last(self) -> dict[str, Any]:
        """Read the last line."""
        found: dict[str, Any] = json.loads(self.stream.getvalue().splitlines()[-1])
        return found


@pytest.fixture
def lines() -> Lines:
    return Lines()


def fail(lines: Lines) -> None:
    try:
        raise ValueError("ada@example.test")
    except ValueError:
        lines.logger.exception("a step failed", extra={"event_id": "7"})


def test_a_line_says_when_how_bad_what_and_who(lines: Lines) -> None:
    lines.logger.warning("the broker is away")

    line = lines.last()
    assert (line["level"], line["message"], line["logger"]) == ("warning", "the broker is away", "carillon.test")
    assert line["time"].endswith("Z")
    assert len(line["time"]) == len("2026-11-20T10:00:00.000Z")


def test_a_line_carries_ids(lines: Lines) -> None:
    lines.logger.info("sent", extra={"notification_id": "n-1", "channel": "email", "attempt": 2, "tenant": None})

    line = lines.last()
    assert (line["notification_id"], line["channel"], line["attempt"]) == ("n-1", "email", 2)
    assert "tenant" not in line


@pytest.mark.parametrize(
    "key",
    [
        "address",
        "email",
        "phone",
        "body",
        "subject",
        "text",
        "data",
        "token",
        "user_id",
        "user_name",
        "headers",
        "args_",
    ],
)
def test_a_line_never_carries_what_is_not_on_the_list(key: str, lines: Lines) -> None:
    lines.logger.warning("sent", extra={key: "SECRET"})

    assert key not in lines.last()
    assert "SECRET" not in lines.stream.getvalue()


def test_of_an_exception_a_line_tells_type_and_place_but_never_its_text(lines: Lines) -> None:
    fail(lines)

    line = lines.last()
    assert (line["error"], line["event_id"]) == ("ValueError", "7")
    assert "test_logs.py:" in line["place"]
    assert "ada@example.test" not in lines.stream.getvalue()
    assert "Traceback" not in lines.stream.getvalue()


def test_of_an_exception_that_a_library_raised_a_line_names_the_place_of_ours_too(lines: Lines) -> None:
    try:
        deep_inside = json.loads
        deep_inside("ada@example.test")
    except ValueError:
        logger = lines.named("shared.test")
        logger.exception("it cannot be read")

    line = lines.last()
    assert "decoder.py:" in line["place"]
    assert line["from"] == ""  # a test is none of ours


@pytest.mark.parametrize(
    ("name", "message", "arguments", "said"),
    [
        ("asyncio", "Task exception was never retrieved\nfuture: <Task exception=ValueError('SECRET')>", (),
         "Task exception was never retrieved"),
        ("psycopg.pool", "error connecting in %r: %s", ("pool", "password SECRET"), "error connecting in"),
        ("uvicorn.error", "Invalid HTTP request received.", (), "Invalid HTTP request received."),
        ("some.library", "%s", ("SECRET",), "something was said"),
        ("some.library", "cannot reach: SECRET", (), "cannot reach"),
        ("some.library", "{SECRET}", (), "something was said"),
    ],
)  # fmt: skip
def test_of_what_a_library_says_a_line_has_only_what_is_the_same_every_time(
    name: str, message: str, arguments: tuple[str, ...], said: str, lines: Lines
) -> None:
    lines.named(name).error(message, *arguments)

    assert lines.last()["message"] == said
    assert "SECRET" not in lines.stream.getvalue()


def test_what_nobody_catches_is_one_line_without_its_text(
    root: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    logs.configure()

    try:
        raise ValueError("SECRET")
    except ValueError as failure:
        sys.excepthook(ValueError, failure, failure.__traceback__)
    thread = threading.Thread(target=lambda: int("SECRET"))
    thread.start()
    thread.join()

    said = [json.loads(line) for line in stderr.getvalue().splitlines()]
    assert [(line["error"], line["level"]) for line in said] == [("ValueError", "critical")] * 2
    assert "SECRET" not in stderr.getvalue()


def test_a_fact_is_one_line_whatever_it_says(lines: Lines) -> None:
    lines.logger.error("two\nlines\r\nand \u2028 more", extra={"reason": 'a "quoted"\nreason'})

    assert len(lines.stream.getvalue().splitlines()) == 1
    assert lines.last()["reason"] == 'a "quoted"\nreason'


def test_a_line_names_the_step_in_whose_name_it_was_written(lines: Lines) -> None:
    before = STEP.set("orchestrate")
    lines.logger.info("inside")
    inside = lines.last()
    STEP.reset(before)
    lines.logger.info("outside")

    assert inside["step"] == "orchestrate"
    assert "step" not in lines.last()


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """Lend the root logger, and put everything back."""
    logger = logging.getLogger()
    names = ("uvicorn.access", "uvicorn.error", "asyncio", "mail.log", "pika")
    handlers, level, levels = logger.handlers[:], logger.level, {n: logging.getLogger(n).level for n in names}
    hooks = (sys.excepthook, threading.excepthook)
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)
    sys.excepthook, threading.excepthook = hooks
    for name, former in levels.items():
        logging.getLogger(name).setLevel(former)


def test_a_process_writes_lines_to_standard_error_and_nowhere_else(
    root: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)

    logs.configure("WARNING")
    logging.getLogger("carillon").info("not asked for")
    logging.getLogger("carillon").warning("asked for")

    assert [json.loads(line)["message"] for line in stderr.getvalue().splitlines()] == ["asked for"]


def test_a_framework_that_is_told_to_log_its_own_way_does_not(
    root: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("LOG_EXECUTION_ID", "true")
    logs.configure("WARNING")
    known = logging.getLogger("carillon.known")

    serve.framework_app.__wrapped__(serve.load("sweep").__name__)
    known.warning("heard")
    logging.getLogger("somebody.else").warning("to: %s", "ada@example.test")

    assert [json.loads(line)["message"] for line in stderr.getvalue().splitlines()] == ["heard", "to"]


def test_paths_with_tokens_are_not_written_by_the_access_log(
    root: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)

    logs.configure("DEBUG")
    logging.getLogger("uvicorn.access").info('"GET /unsubscribe/SECRET"')

    assert stderr.getvalue() == ""


async def test_a_line_names_the_request_that_it_belongs_to_and_a_set_names_none(lines: Lines) -> None:
    async def flush(items: Sequence[int]) -> Sequence[int]:
        lines.logger.warning("flushed")
        return items

    logs.CORRELATION.set("order-42")
    lines.logger.warning("asked")
    asked = lines.last()

    await Coalescer(flush).submit(1)

    assert asked["correlation_id"] == "order-42"
    assert "correlation_id" not in lines.last()
