"""What the documents tell a user to type into a terminal works as typed."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from tests.system.client import Client
from tests.system.command_line.terminal import ROOT, Terminal

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

BLOCK = re.compile(r"<!-- type -->\n```sh\n(.*?)```", re.DOTALL)
PAGES = ("README.md", "docs/cli.md")
LINES = [
    line for page in PAGES for block in BLOCK.findall((ROOT / page).read_text()) for line in block.splitlines() if line
]


async def test_the_lines_that_the_documents_tell_to_type_work_as_typed(
    terminal: Terminal, person: Client, tmp_path: Path
) -> None:
    for user in ("1", "42"):
        await person.put(f"/users/{user}", {"name": "Somebody", "email": f"user-{user}@example.test"})
    event = {"event_type": "order.confirmed", "user_id": 42, "data": {"message": "Order #42 confirmed"}}
    (tmp_path / "events.jsonl").write_text(json.dumps(event) + "\n")
    (tmp_path / "readers.csv").write_text("user_id\n1\n42\n")
    here = replace(terminal, folder=tmp_path)

    said = [(line, await here.type(*shlex.split(line, comments=True)[1:])) for line in LINES]

    assert len(said) >= 7
    assert [(line, one.code, one.err) for line, one in said if one.code] == []
