"""What the documents tell a user to type works as typed."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest

from tests.system.client import Client
from tests.system.conftest import EMBEDDED, WAYS, running

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "docs/runbook.md", "docs/keys.md", "docs/api.md", "docs/inbox.md")
BLOCK = re.compile(r"<!-- run -->\n```sh\n(.*?)```", re.DOTALL)
PROGRAM = re.compile(r"<!-- run -->\n```python\n(.*?)```", re.DOTALL)
ADDRESS = "http://localhost:8000"


def programs() -> list[str]:
    """List the programs that are marked to be run."""
    return [program for name in DOCUMENTS for program in PROGRAM.findall((ROOT / name).read_text())]


def commands() -> list[str]:
    """List the lines that are marked to be run, document by document."""
    found = [block for name in DOCUMENTS for block in BLOCK.findall((ROOT / name).read_text())]
    return [line for block in found for line in block.splitlines() if line.strip()]


async def typed(line: str, carillon: Client) -> str:
    """Type a line into a shell; only the address is this instance's."""
    line = line.replace(ADDRESS, carillon.instance.url).replace("curl ", "curl -sS --fail-with-body ")
    process = await asyncio.create_subprocess_shell(line, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0, f"{line}\n{said.decode()}"
    return said.decode()


async def ran(program: str, carillon: Client) -> str:
    """Run a program; only the address is this instance's."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program.replace(ADDRESS, carillon.instance.url)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


async def test_the_lines_that_the_documents_tell_to_type_work_as_typed() -> None:
    async with running(WAYS[EMBEDDED]({})) as carillon:
        await carillon.until(await carillon.post("nobody is there", user="nobody"), "failed")
        known = {"<id>": "", "<dead letter>": (await carillon.get("/dead-letters"))["dead_letters"][0]["id"]}
        answers = []

        for line in commands():
            for name, value in known.items():
                line = line.replace(name, value)
            answers.append(json.loads(await typed(line, carillon)))
            if isinstance(answers[-1], dict) and answers[-1].get("status") == "pending":
                known["<id>"] = answers[-1]["id"]
                await carillon.until(known["<id>"], "sent", "failed")

        printed = [await ran(program, carillon) for program in programs()]

        assert len(answers) >= 15
        assert answers[1]["id"] == answers[0]["id"]
        assert "Order #42 confirmed" in json.dumps(answers[2])
        assert "data.message It is required." in printed[0]
