"""The benchmark, as a user runs it, but small."""

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

SMALL = ("--notifications", "50", "--connections", "8", "--warm-up", "5", "--users", "20")


async def bench(folder: Path, *options: str) -> tuple[int, str, dict[str, Any]]:
    """Run it; return its exit code, what it printed and what it wrote."""
    ours = {name.upper() for name in Settings.model_fields}
    figures = folder / "figures.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infrastructure.cli", "bench", *SMALL, *options, "--json", str(figures)),
        env={name: value for name, value in os.environ.items() if name.upper() not in ours},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaints = await asyncio.wait_for(process.communicate(), 150)
    assert figures.exists(), complaints.decode()
    return process.returncode or 0, said.decode(), json.loads(figures.read_text())["campaigns"][0]["measurements"]


async def test_a_small_benchmark_finds_everything_sent_and_its_figures_agree(tmp_path: Path) -> None:
    code, said, found = await bench(
        tmp_path, "--embedded", "--rate", "40", "--seconds", "1", "--intake-seconds", "0", "--rest-seconds", "0.5"
    )

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


async def test_the_intake_is_measured_in_a_process_of_its_own_beside_a_route_that_does_nothing(tmp_path: Path) -> None:
    code, said, found = await bench(
        tmp_path,
        *("--notifications", "0", "--rate", "0", "--rest-seconds", "0"),
        *("--intake-rate", "100", "--intake-seconds", "1"),
    )

    assert code == 0
    assert list(found) == ["intake", "bare route"]
    intake, bare = found["intake"], found["bare route"]
    assert intake["traffic"]["answers"] == bare["traffic"]["answers"] == {"202": 100}
    assert (intake["traffic"]["lost"], intake["traffic"]["unsent"]) == (0, 0)
    assert (bare["traffic"]["lost"], bare["traffic"]["unsent"], bare["traffic"]["mail_ms"]) == (None, None, None)
    assert intake["cpu_ms_each"]["intake"] > bare["cpu_ms_each"]["bare route"] >= 0
    assert "bare route" not in intake["cpu_ms_each"]
    assert "CPU ms each, bare route" in said


async def test_without_rabbitmq_the_runtimes_own_intake_is_measured(tmp_path: Path) -> None:
    code, _, found = await bench(
        tmp_path,
        *("--embedded", "--notifications", "0", "--rate", "0", "--rest-seconds", "0"),
        *("--intake-rate", "40", "--intake-seconds", "0.5"),
    )

    assert code == 0
    assert found["intake"]["traffic"]["answers"] == {"202": 20}
    assert "intake" not in found["intake"]["cpu_ms_each"]


async def test_a_mail_that_is_lost_fails_the_benchmark(tmp_path: Path) -> None:
    code, said, found = await bench(
        tmp_path, "--embedded", "--swallow", "1", "--rate", "0", "--intake-seconds", "0", "--rest-seconds", "0"
    )

    assert code == 1
    assert list(found) == ["saturated"]
    assert found["saturated"]["traffic"]["accepted"] == 50
    assert found["saturated"]["traffic"]["lost"] == 1
    assert found["saturated"]["traffic"]["unsent"] == 0
    assert "lost: accepted, no mail" in said
