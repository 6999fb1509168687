"""One connection to RabbitMQ that comes back by itself."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import pika
from pika.exceptions import AMQPError, StreamLostError

from shared.broker.rabbit_wire import Wire
from shared.errors import BrokerUnavailable

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 20
BLOCKED_SECONDS = 30.0
CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 2.0
FIRST_BACKOFF_SECONDS = 0.1
LAST_BACKOFF_SECONDS = 2.0

Prepare = Callable[[Wire], Awaitable[None]]
Result = TypeVar("Result")


def backoff_seconds(failures: int) -> float:
    """Choose how long to wait after so many failures in a row: doubling, capped, spread so that replicas differ."""
    longest = min(FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 10), LAST_BACKOFF_SECONDS)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311


def parameters_for(url: str, name: str) -> pika.URLParameters:
    """Read the URL; what it says about heartbeat and blocking goes before our defaults."""
    parameters = pika.URLParameters(url)
    if parameters.heartbeat is None:
        parameters.heartbeat = HEARTBEAT_SECONDS
    if parameters.blocked_connection_timeout is None:
        parameters.blocked_connection_timeout = BLOCKED_SECONDS
    parameters.connection_attempts = 1
    parameters.client_properties = {"connection_name": name}
    return parameters


class SupervisedConnection:
    """Keep one connection open until closed: `prepare` runs on each new one before anybody else gets it."""

    def __init__(self, url: str, name: str, prepare: Prepare) -> None:
        self._parameters = parameters_for(url, name)
        self._name = name
        self._prepare = prepare
        self._current: Wire | None = None
        self._is_open = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._when_unblocked: Callable[[], None] = _nothing
        self.is_blocked = False

    def start(self) -> None:
        """Begin to connect, and go on until closed."""
        # Every failed attempt would be three of pika's errors, some with the address; what matters is logged here.
        logging.getLogger("pika").setLevel(logging.CRITICAL)
        self._task = asyncio.create_task(self._supervise(), name=self._name)

    @property
    def current(self) -> Wire | None:
        """The open connection, if there is one now."""
        return self._current

    async def opened(self) -> Wire:
        """Wait for the open connection."""
        while self._current is None:
            await self._is_open.wait()
        return self._current

    async def wait_open(self, timeout_seconds: float) -> None:
        """Wait for the open connection, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._is_open.wait()

    def cut(self) -> None:
        """Drop a line that is up and yet does nothing; a new one follows."""
        if self._current and self._current.is_open:
            cut(self._current)

    def when_unblocked(self, tell: Callable[[], None]) -> None:
        """Have somebody told when the broker takes publishes again."""
        self._when_unblocked = tell

    async def close(self) -> None:
        """Close in order, and stop coming back."""
        await end(self._task)
        self._task = None

    async def _supervise(self) -> None:
        failures = 0
        while True:
            closed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    connection = await self._connect(closed)
                await self._serve(connection, closed)
                failures = 0
            except (AMQPError, OSError, TimeoutError, BrokerUnavailable) as failure:
                failures += 1
                if failures == 1:
                    log.warning(
                        "no connection to the broker", extra={"connection": self._name, "reason": kind(failure)}
                    )
            except Exception:  # a bug must not end the supervision
                failures += 1
                log.exception("a connection could not be made", extra={"connection": self._name})
            await asyncio.sleep(backoff_seconds(failures))

    async def _connect(self, closed: asyncio.Future[BaseException]) -> Wire:
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def failed(_connection: object, reason: BaseException | str) -> None:
            resolve(closed, reason if isinstance(reason, BaseException) else BrokerUnavailable(reason))

        connection = Wire(
            self._parameters,
            on_open_callback=lambda _connection: resolve(opened, None),
            on_open_error_callback=failed,
            on_close_callback=failed,
        )
        either: set[asyncio.Future[Any]] = {opened, closed}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:  # out of time, or told to stop: an attempt under way holds a socket
            await _close(connection, closed)
            raise
        if not opened.done():
            raise BrokerUnavailable(kind(closed.result()))
        return connection

    async def _serve(self, connection: Wire, closed: asyncio.Future[BaseException]) -> None:
        connection.add_on_connection_blocked_callback(lambda *_: self._set_blocked(is_blocked=True))
        connection.add_on_connection_unblocked_callback(lambda *_: self._set_blocked(is_blocked=False))
        try:
            await self._prepare(connection)
            self._current = connection
            self._is_open.set()
            log.info("connected to the broker", extra={"connection": self._name})
            await asyncio.wait({closed})
            log.warning("lost the broker", extra={"connection": self._name, "reason": kind(closed.result())})
        finally:
            self._current = None
            self._is_open.clear()
            self._set_blocked(is_blocked=False)
            await _close(connection, closed)

    def _set_blocked(self, *, is_blocked: bool) -> None:
        if is_blocked != self.is_blocked:
            self.is_blocked = is_blocked
            log.warning(
                "the broker %s publishes", "blocks" if is_blocked else "takes", extra={"connection": self._name}
            )
            if not is_blocked:
                self._when_unblocked()


async def _close(connection: Wire, closed: asyncio.Future[BaseException]) -> None:
    """Close in order; cut the line if the broker does not answer, as it does not while it blocks publishers."""
    if not (connection.is_closed or connection.is_closing):
        with suppress(AMQPError):
            connection.close()
    if not closed.done():
        await asyncio.wait({closed}, timeout=CLOSE_SECONDS)
    if not closed.done():
        cut(connection)
        await asyncio.wait({closed}, timeout=CLOSE_SECONDS)


def cut(connection: Wire) -> None:
    """Drop the line without a word: pika has no public name for it, and an orderly close waits for an answer."""
    connection._terminate_stream(StreamLostError("cut by us"))


async def end(task: asyncio.Task[None] | None) -> None:
    """End a task, if there is one, and wait until it has ended."""
    if task:
        task.cancel()
        await asyncio.wait({task})


def resolve(future: asyncio.Future[Result], result: Result) -> None:
    """Set a result unless somebody was quicker."""
    if not future.done():
        future.set_result(result)


def kind(failure: BaseException) -> str:
    """Name a failure without its text, which may hold an address."""
    return type(failure).__name__


def _nothing() -> None:
    pass
