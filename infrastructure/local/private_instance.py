"""A whole Carillon of one's own for a while: another process, a free port, a database that is thrown away."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from infrastructure.local.postgres_account import make_temporary_directory
from infrastructure.local.processes import die_with_parent
from shared.errors import Transient

START_SECONDS = 60
STOP_SECONDS = 20
READY = "Carillon is ready: "
FOREIGN = (
    *("DATABASE_URL", "AMQP_URL", "REDIS_URL", "API_KEYS", "HOST", "PORT", "PUBLIC_URL", "CHANNELS", "SANDBOX"),
    *("K_SINK", "K_CE_OVERRIDES"),
    *("SMTP_URL", "TWILIO_", "FCM_", "ONESIGNAL_", "PUSH_", "TELEGRAM_", "OTEL_"),
)
"""Settings of the caller that would make the instance anything but private, by how they begin."""


class InstanceNotReady(Transient):
    """It did not start in time, or ended."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One that runs: where it answers, the process to strike, and the folder with its log and its data."""

    url: str
    process: asyncio.subprocess.Process
    folder: Path


@asynccontextmanager
async def private_instance(*options: str, **settings: str) -> AsyncIterator[Instance]:
    """Start `carillon up` with these options and settings, and end it.

    Raises:
        InstanceNotReady: it did not start; the last lines of its log are in the message.
    """
    async with _private(READY, ["up", "--port", "0", *options], settings) as instance:
        yield instance


@asynccontextmanager
async def private_function(name: str, **settings: str) -> AsyncIterator[Instance]:
    """Start one function with these settings, as `carillon serve` does, and end it.

    Raises:
        InstanceNotReady: it did not start; the last lines of its log are in the message.
    """
    async with _private(f"{name} is ready: ", ["serve", name], {"PORT": "0", **settings}) as instance:
        yield instance


@asynccontextmanager
async def _private(ready: str, arguments: list[str], settings: dict[str, str]) -> AsyncIterator[Instance]:
    folder = make_temporary_directory("carillon-private-")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    environment |= {"DATA_DIR": str(folder / "data"), "LOG_LEVEL": "WARNING", **settings}
    command = [sys.executable, "-m", "infrastructure.cli", *arguments]
    log = (folder / "log").open("wb")
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        start_new_session=True,
        preexec_fn=die_with_parent(),
    )
    try:
        yield Instance(await _address(process, ready, folder / "log"), process, folder)
    finally:
        await _end(process)
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


async def _address(process: asyncio.subprocess.Process, ready: str, log: Path) -> str:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            while line := (await process.stdout.readline()).decode():
                if line.startswith(ready):
                    return line.removeprefix(ready).strip()
    except TimeoutError:
        pass
    raise InstanceNotReady(f"the private instance did not start:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-5:])


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
