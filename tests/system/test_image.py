"""What the image holds is enough to run a function, on a file system that takes nothing, and it ends when asked."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from infrastructure.local.postgres_account import make_temporary_directory
from infrastructure.local.processes import free_port
from tests.contract.image import HOME, put_together, stages
from tests.postgres import PostgresForTests

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 60
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
NOWHERE = "amqp://guest:guest@127.0.0.1:1/%2F"
EVENT = {"event_type": "order_created", "user_id": 1, "timestamp": "2024-06-01T12:00:00Z", "data": {"message": "x"}}


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Put the image's files together, and let nobody write to them."""
    folder = make_temporary_directory("carillon-image-")
    made = put_together(folder)
    places = [made, *(path for path in made.rglob("*") if not path.is_symlink())]
    for place in places:
        place.chmod(place.stat().st_mode & ~0o222)
    yield made
    for place in places:
        place.chmod(place.stat().st_mode | 0o200)
    shutil.rmtree(folder)


def without_power_over_files() -> None:
    """Take from root what lets it write where nobody may."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


async def started(home: Path, *arguments: str, **settings: str) -> asyncio.subprocess.Process:
    """Start what the image starts, with its environment and these settings, and with nothing of ours."""
    environment = {name: value.replace(HOME, str(home)) for name, value in stages()[-1].environment().items()}
    return await asyncio.create_subprocess_exec(
        *("carillon", *arguments),
        env={**environment, **settings},
        cwd="/tmp",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=without_power_over_files,
        executable=home / "bin" / "carillon",
    )


def listed(home: Path) -> set[str]:
    return {str(path) for path in home.rglob("*")}


async def test_a_function_runs_from_what_the_image_holds_and_writes_nothing_there(
    home: Path, postgres: PostgresForTests
) -> None:
    port = free_port()
    before = listed(home)
    process = await started(
        home, "serve", PORT=str(port), FUNCTION="ingest", API_OPEN="true", AMQP_URL=NOWHERE,
        DATABASE_URL=await postgres.fresh_database(),
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            await until_ready(http, process)
            async with http.post("/events", json=EVENT) as answer:
                said = await answer.json()
    finally:
        process.terminate()
        _, errors = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)

    assert (answer.status, said["status"]) == (202, "pending")
    assert process.returncode == 0, errors.decode()
    assert listed(home) == before


async def until_ready(http: aiohttp.ClientSession, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while process.returncode is None:
            try:
                async with http.get("/health/ready") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
    assert process.stderr is not None
    raise AssertionError((await process.stderr.read()).decode())


async def test_every_function_and_every_helper_can_be_imported_from_it(home: Path) -> None:
    functions = sorted(path.parent.name for path in (home / "app" / "functions").glob("*/main.py"))
    rooms = [f"functions.{name}.main" for name in functions]
    rooms += [f"infrastructure.local.{name}" for name in ("serve", "connector", "front_door", "stand_ins", "keys")]

    process = await asyncio.create_subprocess_exec(
        *(str(home / "bin" / "python"), "-P", "-c", f"import {', '.join(rooms)}"),
        env={"PYTHONPATH": str(home / "app"), "PYTHONDONTWRITEBYTECODE": "1"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()

    assert process.returncode == 0, errors.decode()
    assert len(functions) == 16


def test_what_is_taken_out_of_packages_is_out_and_the_rest_of_them_is_in(home: Path) -> None:
    (packages,) = home.glob("lib/python3.*/site-packages")

    assert not (packages / "phonenumbers" / "geodata").exists()
    assert (packages / "phonenumbers" / "data").exists()
    assert not list((packages / "swagger_ui" / "static").glob("*.map"))
    assert (packages / "swagger_ui" / "static" / "swagger-ui-bundle.js").exists()


async def test_the_number_of_a_telephone_is_understood_without_what_was_taken_out(home: Path) -> None:
    reading = "from pydantic import TypeAdapter as T; from shared.addresses import Phone; "
    reading += "print(T(Phone).validate_python('+49 (30) 123456'))"
    process = await asyncio.create_subprocess_exec(
        *(str(home / "bin" / "python"), "-P", "-c", reading),
        env={"PYTHONPATH": str(home / "app")},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()

    assert said.decode().strip() == "+4930123456"


async def test_it_says_what_is_missing_in_one_line_and_does_not_start(home: Path) -> None:
    process = await started(home, "serve", "ingest", AMQP_URL=NOWHERE)

    _, errors = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)

    assert process.returncode == 2
    assert "DATABASE_URL is missing" in errors.decode()


async def test_nobody_can_write_where_it_is(home: Path) -> None:
    writing = f"open({str(home / 'app' / 'new')!r}, 'w')"
    process = await asyncio.create_subprocess_exec(
        *(str(home / "bin" / "python"), "-c", writing),
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=without_power_over_files,
        env=dict(os.environ),
    )
    _, errors = await process.communicate()

    assert b"PermissionError" in errors
