from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from infrastructure.local.processes import free_port
from infrastructure.local.server import listen
from shared.settings import Settings

EVENT = {"event_type": "order.shipped", "user_id": 1, "timestamp": "2026-11-20T12:00:00Z", "data": {"message": "Hi"}}
ENDED = {"sent", "delivered", "failed", "skipped", "cancelled", "expired", "unknown"}


async def carillon(folder: Path, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
    ours = {name.upper() for name in Settings.model_fields}
    inherited = {name: value for name, value in os.environ.items() if name.upper() not in ours}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "infrastructure.cli",
        *arguments,
        env=inherited | {"DATA_DIR": str(folder / "data")} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def line_with(process: asyncio.subprocess.Process, text: str) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        async for line in process.stdout:
            if text in line.decode():
                return line.decode()
    raise AssertionError(f"it ended without saying {text!r}")


@pytest.mark.parametrize(
    ("arguments", "environment", "why"),
    [
        (["up", "--processes"], {}, "AMQP_URL"),
        (["up", "--workers", "2"], {}, "AMQP_URL"),
        (["up", "--processes", "--workers", "2"], {}, "choose one"),
        (["up"], {"DATABASE_URL": "postgresql://carillon@127.0.0.1:1/none"}, "SMTP_URL"),
        (["up"], {"HOST": "0.0.0.0"}, "API_KEYS"),
        (["up"], {"PORT": "many"}, "PORT"),
        (["serve", "ingest"], {}, "AMQP_URL"),
        (["sources"], {}, "AMQP_URL"),
        (["sources", "--service", "ingest"], {}, "NAME=URL"),
        (["migrate"], {}, "DATABASE_URL"),
    ],
)
async def test_a_setting_that_is_missing_ends_the_start_and_is_named(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], why: str
) -> None:
    process = await carillon(tmp_path, *arguments, **environment)

    _, said = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 2
    assert why in said.decode()
    assert "Traceback" not in said.decode()
    assert not (tmp_path / "data").exists()


async def test_a_port_that_is_taken_ends_the_start_before_anything_is_started(tmp_path: Path) -> None:
    with listen("127.0.0.1", free_port()) as taken:
        process = await carillon(tmp_path, "up", PORT=str(taken.getsockname()[1]))
        _, said = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 1
    assert "is taken" in said.decode()
    assert len(said.decode().splitlines()) == 1
    assert not (tmp_path / "data").exists()


async def test_a_start_that_waits_for_its_database_can_be_given_up(tmp_path: Path) -> None:
    nowhere = f"postgresql://carillon@127.0.0.1:{free_port()}/none"
    process = await carillon(tmp_path, "up", "--port", "0", DATABASE_URL=nowhere, SANDBOX="true", LOG_LEVEL="DEBUG")
    assert process.stderr is not None
    await asyncio.wait_for(process.stderr.readline(), 60)

    process.send_signal(signal.SIGTERM)
    _, said = await asyncio.wait_for(process.communicate(), 20)

    assert process.returncode == 1
    assert "stopped before it was ready" in said.decode()


async def test_with_nothing_configured_an_event_is_taken_and_ends_and_so_does_carillon(tmp_path: Path) -> None:
    process = await carillon(tmp_path, "up", "--port", "0", LOG_LEVEL="WARNING")
    try:
        url = (await line_with(process, "Carillon is ready")).split()[-1]

        async with aiohttp.ClientSession(url) as session, asyncio.timeout(30):
            async with session.post("/events", json=EVENT) as response:
                accepted = await response.json()
            status = accepted["status"]
            while status not in ENDED:
                await asyncio.sleep(0.05)
                async with session.get(f"/api/v1/notifications/{accepted['id']}") as answer:
                    status = (await answer.json())["status"]
            async with session.get("/sandbox/messages") as inbox:
                assert inbox.status == 200

        process.send_signal(signal.SIGTERM)
        said, complaints = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()

    assert response.status == 202
    assert process.returncode == 0
    assert "stopping" in said.decode()
    assert "Traceback" not in complaints.decode()
