"""The short form of `make chaos`: twenty strikes on real processes, and every promise kept."""

from __future__ import annotations

import asyncio
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.rabbit]

PATIENCE_SECONDS = 600.0
END_SECONDS = 60.0


async def test_twenty_strikes_under_load_lose_nothing_and_double_nothing_unrecorded() -> None:
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos", "--short"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(program.communicate(), PATIENCE_SECONDS)
    finally:
        if program.returncode is None:
            program.terminate()
            await asyncio.wait_for(program.wait(), END_SECONDS)

    assert program.returncode == 0, said.decode()
    assert "20 strikes have fallen" in said.decode()
