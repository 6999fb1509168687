"""The benchmark's own processes, which are told a line and answer one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.errors import Transient

START_SECONDS = 60.0
STOP_SECONDS = 5.0
LONGEST_LINE_BYTES = 2**30
"""All that was seen of a million notifications."""


class ChildGone(Transient):
    """A process of the benchmark ended, or does not answer."""


class Child:
    """One process, which ends when we do: it reads what we write."""

    def __init__(self, module: str, process: asyncio.subprocess.Process) -> None:
        self._module = module
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def read(self, deadline_seconds: float) -> str:
        """Read one line.

        Raises:
            ChildGone: there was none in time.
        """
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), deadline_seconds)
        except TimeoutError:
            raise ChildGone(f"{self._module} did not answer within {deadline_seconds:.0f} s") from None
        if not line:
            raise ChildGone(f"{self._module} ended")
        return line.decode().strip()

    async def ask(self, words: str, deadline_seconds: float = START_SECONDS) -> str:
        """Write one line and read the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{words}\n".encode())
        return await self.read(deadline_seconds)

    async def end(self) -> None:
        """Let it end, by force if it must be."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def child(module: str, argument: str) -> AsyncIterator[tuple[Child, str]]:
    """Start a module of the benchmark; hand out the process and the line with which it begins."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        argument,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE_BYTES,
        start_new_session=True,  # a Ctrl-C in the terminal is for the parent, which ends it in order
    )
    started = Child(module, process)
    try:
        yield started, await started.read(START_SECONDS)
    finally:
        await started.end()
