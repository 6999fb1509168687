"""The benchmark, as a user runs it: small, and without RabbitMQ."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.settings import Settings

pytestmark = pytest.mark.slow

SMALL = ("--embedded", "--notifications", "50", "--connections", "8", "--warm-up", "5", "--users", "20")


async def bench(folder: Path, *options: str) -> tuple[int, str, dict[str, Any]]:
    """Run it; return its exit code, what it printed and what it wrote."""
    ours = {name.upper() for name in Settings.model_fields}
    figures = folder / "figures.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infrastructure.local.cli", "bench", *SMALL, *options, "--json", str(figures)),
        env={name: value for name, value in os.environ.items() if name.upper() not in ours},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaints = await asyncio.wait_for(process.communicate(), 150)
    assert figures.exists(), complaints.decode()
    return process.returncode or 0, said.decode(), json.loads(figures.read_text())["campaigns"][0]["measurements"]


async def test_a_small_benchmark_finds_everything_sent_and_its_figures_agree(tmp_path: Path) -> None:
    code, said, found = await bench(tmp_path, "--rate", "40", "--seconds", "1", "--rest-seconds", "0.5")

    assert code == 0
    assert list(found) == ["saturated", "at a rate", "at rest"]
    assert found["at rest"]["traffic"] is None
    for name, accepted in (("saturated", 50), ("at a rate", 40)):
        traffic, usage = found[name]["traffic"], found[name]["usage"]
        troubles = ("lost", "unsent", "duplicates", "refused", "misdirected", "strays")
        assert {trouble: traffic[trouble] for trouble in troubles} == dict.fromkeys(troubles, 0)
        assert traffic["accepted"] == traffic["posted"] == accepted
        assert traffic["answers"] == {"202": accepted}
        assert traffic["per_second"] == pytest.approx(accepted / traffic["seconds"], rel=0.05)
        for latencies in (traffic["post_ms"], traffic["mail_ms"]):
            assert 0 < latencies["p50"] <= latencies["p95"] <= latencies["p99"] <= latencies["max"]
        assert traffic["mail_ms"]["max"] <= traffic["seconds"] * 1000 + 1
        assert set(usage["cpu_seconds"]) == {"runtime", "Postgres", "sink and load"}
        assert sum(usage["cpu_seconds"].values()) * 1000 / accepted == pytest.approx(
            found[name]["cpu_ms_each"]["all"], abs=1
        )
        assert usage["seconds"] >= traffic["seconds"]
        assert set(found[name]["set_sizes"]) >= {"orchestrate", "deliver-email"}
        assert min(found[name]["set_sizes"].values()) >= 1
        assert all(one["rss_mb"] >= one["pss_mb"] > 5 for one in found[name]["memory"].values())
    assert found["at a rate"]["traffic"]["seconds"] >= 39 / 40
    assert "POST to mail, ms, p99" in said


async def test_a_mail_that_is_lost_fails_the_benchmark(tmp_path: Path) -> None:
    code, said, found = await bench(tmp_path, "--swallow", "1", "--rate", "0", "--rest-seconds", "0")

    assert code == 1
    assert list(found) == ["saturated"]
    assert found["saturated"]["traffic"]["accepted"] == 50
    assert found["saturated"]["traffic"]["lost"] == 1
    assert found["saturated"]["traffic"]["unsent"] == 0
    assert "lost: accepted, no mail" in said
