"""Somebody at a terminal: types commands of `carillon`, and reads what they say."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from infrastructure.local.private_instance import FOREIGN

ROOT = Path(__file__).resolve().parents[3]
LONGEST_SECONDS = 60
KEY = "a-SECRET-of-acme"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and the code that it ended with."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on the standard output."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The JSON documents on it, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where commands are typed, with an environment that says only this. It is no tty."""

    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = ROOT

    def knowing(self, **environment: str) -> Terminal:
        """Set more variables, or others."""
        return replace(self, environment=self.environment | environment)

    async def type(self, *words: str, given: bytes = b"") -> Said:
        """Run a command to its end."""
        async with self.running(*words) as process:
            async with asyncio.timeout(LONGEST_SECONDS):
                out, err = await process.communicate(given)
        return Said(process.returncode or 0, out.decode(), err.decode())

    @asynccontextmanager
    async def running(self, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run a command that has no end of its own."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith((*FOREIGN, "CARILLON_"))}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "infrastructure.cli", *words),
            cwd=self.folder,
            env=inherited | self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=_heed_ctrl_c,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()


async def interrupted(process: asyncio.subprocess.Process) -> int:
    """Type Ctrl-C; return the code."""
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(LONGEST_SECONDS):
        await process.communicate()
    return process.returncode or 0


def _heed_ctrl_c() -> None:
    """Give a command what it has at a terminal: in the background of a script tests ignore it, and so would it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
