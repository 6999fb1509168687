"""The benchmark of open inboxes, as a user runs it, but small."""

from __future__ import annotations

import asyncio
import re
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.rabbit]


async def bench(*options: str) -> tuple[int, str]:
    """Run it; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infrastructure.bench.sockets", "--rest-seconds", "0.5", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 200)
    return process.returncode or 0, said.decode()


async def test_two_hundred_open_inboxes_get_everything_once_through_a_push_and_a_storm() -> None:
    code, said = await bench("--connections", "200")

    assert re.search(r"^connections +200$", said, re.MULTILINE)
    assert re.search(r"^a push to all: missing +0$", said, re.MULTILINE)
    assert re.search(r"^a storm: not back, missing +0 +0$", said, re.MULTILINE)
    assert re.search(r"^people with a gap, a copy or a loss +0$", said, re.MULTILINE)
    assert code == 0


async def test_one_message_that_one_of_them_does_not_get_makes_it_fail() -> None:
    code, said = await bench("--connections", "5", "--deaf", "1", "--patience-seconds", "8")

    assert re.search(r"^people with a gap, a copy or a loss +1$", said, re.MULTILINE)
    assert code == 1
