"""A run that had to leave something out says so in its last line, also when several processes share it."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from infrastructure.rabbitmq.generate import ROOT

LEFT_OUT = "passes_its_schema"
RUN = "a_file_holds_objects"


@pytest.mark.parametrize("processes", ["0", "2"])
async def test_the_last_line_says_what_did_not_run_and_how_to_have_it_run(processes: str) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "CRDS" and not name.startswith("PYTEST_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-n", processes, "-k", f"{LEFT_OUT} or {RUN}"),
        "tests/contract/test_overlays.py",
        cwd=ROOT,
        env=kept,
        stdout=asyncio.subprocess.PIPE,
    )

    said, _ = await process.communicate()

    last = said.decode().splitlines()[-1]
    assert process.returncode == 0, said.decode()
    assert last.startswith("NOT RUN: ")
    assert last.endswith("tests that need Knative's schemas: set CRDS to a folder of CustomResourceDefinitions")
