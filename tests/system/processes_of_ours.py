"""Processes of the image's command line, started and ended as containers are."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from infrastructure.local.private_instance import FOREIGN
from infrastructure.local.processes import die_with_parent, free_port

PATIENCE_SECONDS = 120
OTHERS_SETTINGS = (*FOREIGN, "JWT_", "API_", "FUNCTION", "SECRETS_DIR")
"""What a container would not inherit from us."""


def free_ports(count: int) -> list[int]:
    """Find so many ports that nobody holds, no two the same."""
    found: dict[int, None] = {}
    while len(found) < count:
        found[free_port()] = None
    return list(found)


async def listens(port: int) -> bool:
    """Tell whether anybody does: each look of a process of its own takes its time from those that start."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def said_healthy(port: int) -> bool:
    """Ask with the image's own program."""
    look = await asyncio.create_subprocess_exec(
        *(sys.executable, "-IS", "infrastructure/container/healthy.py"), env={"PORT": str(port)}
    )
    return await look.wait() == 0


class Processes:
    """Some processes, each with a log in a folder."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self._running: dict[str, asyncio.subprocess.Process] = {}

    def __getitem__(self, name: str) -> asyncio.subprocess.Process:
        return self._running[name]

    async def start(self, name: str, *arguments: str, settings: Mapping[str, str]) -> asyncio.subprocess.Process:
        """Start one, with these settings and none of ours."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(OTHERS_SETTINGS)}
        with (self.logs / f"{name}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "infrastructure.cli", *arguments),
                env={**kept, **settings},
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
                preexec_fn=die_with_parent(),
            )
        self._running[name] = process
        return process

    async def healthy(self, name: str, port: int) -> None:
        """Ask as the image's HEALTHCHECK does, once somebody listens there, until the answer is good."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                said = (self.logs / f"{name}.log").read_text()[-2000:]
                assert self._running[name].returncode is None, f"{name} ended: {said}"
                if await listens(port) and await said_healthy(port):
                    return
                await asyncio.sleep(0.2)

    async def end(self) -> dict[str, int]:
        """End all as Docker does; return each one's code."""
        running = {name: process for name, process in self._running.items() if process.returncode is None}
        for process in running.values():
            process.terminate()
        codes = await asyncio.gather(*[asyncio.wait_for(process.wait(), 60) for process in running.values()])
        return dict(zip(running, codes, strict=True))
