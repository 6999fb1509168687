"""Open functions in this process: what they stand on, their applications, and the order in which they end."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.broker.protocol import Broker
from shared.errors import Permanent, SettingMissing
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.serve import App


log = logging.getLogger("carillon.local.functions")

STOP_SECONDS = 45.0
"""Longer than what each part gives itself; below what a revision is given after SIGTERM (120 s) for two of them."""


COLLECT_EVERY = 50_000
"""So many new objects between two searches for cycles. Nearly all of ours are freed without one; a search at every 700,
as Python does it, was a tenth of the processor time under load.
"""


class FunctionMissing(Permanent):
    """A Service names a function that is not in the tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Functions:
    """Functions that answer, and the broker that they publish to."""

    apps: Mapping[str, App]
    broker: Broker


async def open_functions(settings: Settings, names: Sequence[str], stack: AsyncExitStack) -> Functions:
    """Open functions over the same resources. When the stack unwinds they are drained, then the resources closed."""
    import_functions(names)
    from shared.runtime import Resources
    from shared.serve import build

    if settings.database_url is None:
        raise SettingMissing("DATABASE_URL is missing: set it to postgresql://user:password@host:5432/database")
    broker = open_broker(settings)
    resources = await Resources.open(settings, broker, database_url=settings.database_url.get_secret_value())
    stack.push_async_callback(ended, resources.close)
    apps = {name: build(name, resources) for name in names}
    for app in apps.values():
        await started(stack, app.start, app.drain)
    gc.freeze()  # what is there now stays: no search looks at it again
    gc.set_threshold(COLLECT_EVERY)
    return Functions(apps=apps, broker=broker)


def import_functions(names: Sequence[str]) -> None:
    """Import functions and what they stand on. It stays, so meanwhile no search for cycles looks at it.

    Raises:
        FunctionMissing: one is not in the tree.
    """
    gc.disable()
    try:
        from shared.serve import load

        for name in names:
            _require(name, load)
    finally:
        gc.freeze()
        gc.enable()


def _require(name: str, load: Callable[[str], object]) -> None:
    try:
        load(name)
    except LookupError as missing:
        raise FunctionMissing(f"{missing} in functions/") from None


def open_broker(settings: Settings, *, is_shared: bool = False) -> Broker:
    """Choose the broker: RabbitMQ, or a sink, or without AMQP_URL and K_SINK the one in this process, which spans no
    other.

    Raises:
        SettingMissing: messages are to be consumed that other processes publish, and there is no AMQP_URL.
    """
    if settings.amqp_url is not None:
        from shared.broker.rabbit import RabbitBroker

        return RabbitBroker(settings.amqp_url.get_secret_value())
    if is_shared:
        raise SettingMissing("AMQP_URL is missing: the built-in broker lives in one process only")
    if settings.k_sink is not None:
        from shared.broker.sink import SinkBroker
        from shared.broker.sink_line import SinkLine

        return SinkBroker(SinkLine(settings.k_sink, settings.extensions()))
    from shared.broker.in_process import InProcessBroker

    return InProcessBroker()


async def started(
    stack: AsyncExitStack, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]
) -> None:
    """Start something and have it stopped in its turn, also when its start fails half-way."""
    stack.push_async_callback(ended, stop)
    await start()


async def ended(stop: Callable[[], Awaitable[None]], deadline_seconds: float = STOP_SECONDS) -> None:
    """Stop something; go on without it when it does not end. What it held is done again after the next start."""
    try:
        async with asyncio.timeout(deadline_seconds):
            await stop()
    except TimeoutError:
        log.error("something did not end in time", extra={"place": getattr(stop, "__qualname__", "")})
