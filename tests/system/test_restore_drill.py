"""The drill of docs/operating.md, line by line: what a dump knew is known again, and what was owed is sent."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import aiohttp
import pytest

from infrastructure.local import postgres_binaries
from infrastructure.local.private_instance import private_instance
from infrastructure.rabbitmq.generate import ROOT
from tests.postgres import PostgresForTests
from tests.system.client import Client

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "operating.md"
CARILLON = f'#!/bin/sh\nexec "{sys.executable}" -m infrastructure.cli "$@"\n'


def drill() -> list[str]:
    """Read the lines of the drill."""
    (block,) = re.findall(r"<!-- drill -->\n```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [line for line in block.splitlines() if line]


async def typed(lines: list[str], folder: Path, database: str, restored: str) -> str:
    """Type lines into a shell where Postgres' programs and ours are found; return what they print."""
    (folder / "carillon").write_text(CARILLON)
    (folder / "carillon").chmod(0o755)
    programs = postgres_binaries.find(None, None).directory
    process = await asyncio.create_subprocess_exec(
        *("sh", "-euc", "\n".join(lines)),
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{folder}:{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": database,
            "RESTORED_URL": restored,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return said.decode()


async def test_what_was_sent_stays_sent_and_what_was_waiting_is_sent_after_a_restore(
    postgres: PostgresForTests, tmp_path: Path
) -> None:
    database, restored = await postgres.fresh_database(), await postgres.fresh_database()
    dump, *rest = drill()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
        async with private_instance(DATABASE_URL=database, SANDBOX="true") as instance:
            before = await Client(instance, http).settle_in()
            sent = await before.post("sent before the dump")
            await before.until(sent, "sent")
            await before.put("/users/waits", {"email": "failtwice@example.test"})
            waiting = await before.post("waiting in the dump", user="waits")
            await before.until_attempted(waiting, 1, "queued")
            await typed([dump], tmp_path, database, restored)
            instance.process.kill()
            await instance.process.wait()

        printed = await typed(rest, tmp_path, database, restored)

        async with private_instance(DATABASE_URL=restored, SANDBOX="true") as instance:
            after = Client(instance, http)
            known = await after.get(f"/api/v1/notifications/{sent}")
            ended = await after.until(waiting, "sent", "failed")
            mails = await after.get("/sandbox/messages")

    (statement,) = re.findall(r"```sql\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
    expiring = f'psql "$RESTORED_URL" --set=ON_ERROR_STOP=1 --command="{statement}"'

    assert (await typed([expiring], tmp_path, database, restored)).strip() == "UPDATE 0", "nothing waits any more"
    assert printed.splitlines() == ["2", "nothing to do"]
    assert (known["status"], len(known["attempts"])) == ("sent", 1)
    assert ended["status"] == "sent"
    assert [mail["to"] for mail in mails] == ["failtwice@example.test"]
