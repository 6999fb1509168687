"""Run every function in a process of its own on this machine, and start again what dies."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp

from infrastructure.local.pausing import told_within
from shared.errors import Transient

log = logging.getLogger("carillon.local.processes")

PORTS = range(20_000, 32_000)
"""Below the range that outgoing connections take theirs from: a port that is free now stays free until it is bound."""

READY_SECONDS = 60.0
STOP_SECONDS = 40.0
MAX_PAUSE_SECONDS = 10.0
HEALTHY_AFTER_SECONDS = 30.0
PR_SET_PDEATHSIG = 1
LOOPBACK = "127.0.0.1"


class ProcessNotReady(Transient):
    """A process did not become ready in time."""


def free_port() -> int:
    """Find a loopback port that nobody holds."""
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise ProcessNotReady("no free port on loopback")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What one process runs, and where it listens, if it does."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    port: int | None = None
    sockets: tuple[int, ...] = ()  # descriptors that it inherits

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://{LOOPBACK}:{self.port}"


def carillon(name: str, *arguments: str, port: int | None = None, **environment: str) -> Command:
    """Describe a process of our own CLI. Settings travel in the environment: a command line can be read by anybody."""
    listening = {"HOST": LOOPBACK, "PORT": str(port)} if port else {}
    return Command(
        name=name,
        arguments=(sys.executable, "-m", "infrastructure.cli", *arguments),
        environment=environment | listening,
        port=port,
    )


class Supervisor:
    """Keep the processes of one group alive until told to stop."""

    def __init__(
        self,
        commands: Sequence[Command],
        *,
        ready_seconds: float = READY_SECONDS,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self._commands = commands
        self._ready_seconds = ready_seconds
        self._stop_seconds = stop_seconds
        self._keepers: list[asyncio.Task[None]] = []
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()

    def pid(self, name: str) -> int | None:
        """Return the process id that a command has now."""
        process = self._processes.get(name)
        return process.pid if process and process.returncode is None else None

    async def start(self) -> None:
        """Start all, and wait until those that listen are ready.

        Raises:
            ProcessNotReady: one was not, in time. Those that run are to be stopped.
        """
        self._keepers = [asyncio.create_task(self._keep(command)) for command in self._commands]
        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*[self._await_ready(command, session) for command in self._commands if command.port])

    async def stop(self) -> None:
        """Ask all to end, wait for them, and end by force those that did not."""
        self._stopping.set()
        for process in self._processes.values():
            _signal(process, signal.SIGTERM)
        if self._keepers:
            _, late = await asyncio.wait(self._keepers, timeout=self._stop_seconds)
            if late:
                self.kill()
                await asyncio.wait(late)

    def kill(self) -> None:
        """End all at once."""
        for process in self._processes.values():
            _signal(process, signal.SIGKILL)

    async def _keep(self, command: Command) -> None:
        pause = 0.25
        while not self._stopping.is_set():
            started = time.monotonic()
            process = await _spawn(command)
            self._processes[command.name] = process
            if self._stopping.is_set():  # told while it was being started
                _signal(process, signal.SIGTERM)
            code = await process.wait()
            if self._stopping.is_set():
                return
            log.error("a process ended and is started again", extra={"function": command.name, "code": code})
            lasted = time.monotonic() - started
            pause = 0.5 if lasted > HEALTHY_AFTER_SECONDS else min(2 * pause, MAX_PAUSE_SECONDS)
            await told_within(self._stopping, pause)

    async def _await_ready(self, command: Command, session: aiohttp.ClientSession) -> None:
        deadline = time.monotonic() + self._ready_seconds
        while time.monotonic() < deadline and not self._stopping.is_set():
            if await _is_ready(f"{command.url}/health/ready", session):
                return
            await told_within(self._stopping, 0.05)
        raise ProcessNotReady(f"{command.name} was not ready within {self._ready_seconds:.0f} s")


async def _is_ready(url: str, session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=2)) as response:
            return response.status == 200
    except (aiohttp.ClientError, OSError):
        return False


async def _spawn(command: Command) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command.arguments,
        env={**os.environ, **command.environment},  # handed on, not read: only shared/settings.py reads it
        stdin=asyncio.subprocess.DEVNULL,
        pass_fds=command.sockets,
        start_new_session=True,  # a Ctrl-C in the terminal is for the parent, which ends them in order
        preexec_fn=die_with_parent(),
    )


def die_with_parent() -> Callable[[], None] | None:
    """Have the kernel end a child whose parent was killed. Elsewhere than on Linux such a child stays.

    The parent is the thread that starts the child: it must live for as long as the child may.
    """
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def after_fork() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return after_fork


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)
