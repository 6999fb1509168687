"""Every function in a process of its own."""

from __future__ import annotations

from pathlib import Path

from infrastructure.local.one_process_each import carry
from infrastructure.local.processes import carillon


def test_the_sources_are_those_of_the_manifests_that_name_the_functions() -> None:
    functions = [carillon("sweep", "serve", "sweep", port=20_000), carillon("ingest", "serve", "ingest", port=20_001)]

    words = carry(functions, Path("/somewhere/else"), batch=True).arguments

    assert words[words.index("sources") :] == (
        *("sources", "--batch", "--manifests", "/somewhere/else"),
        *("--service", "sweep=http://127.0.0.1:20000", "--service", "ingest=http://127.0.0.1:20001"),
    )
