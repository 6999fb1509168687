"""Tracing in a process of its own: how it ends, and what it loads."""

from __future__ import annotations

import subprocess
import sys

from infrastructure.prometheus.generate import ROOT


def test_a_collector_that_is_away_holds_up_nobodys_end() -> None:
    program = """
import asyncio
from shared.settings import Settings
from shared.tracing import Kind, open_tracing

async def main():
    tracing = open_tracing(Settings().model_copy(update={"otel_exporter_otlp_endpoint": "http://127.0.0.1:9"}))
    tracing.begin("POST", None, Kind.SERVER).end()
    await tracing.close()
    print("closed")

asyncio.run(main())
"""
    said = subprocess.run(  # apart: what is never sent is tried again and again, in a thread
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )

    assert said.stdout == "closed\n"


def test_where_nothing_is_traced_nothing_of_opentelemetry_is_imported() -> None:
    program = """
import sys
from infrastructure.local import manifests, up
from shared.serve import load
for name in manifests.read().services:
    load(name)
ours = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "shared.tracing.opentelemetry")  # the rest redis looks at
print([name for name in sys.modules if name.startswith(ours)])
"""
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert said.stdout.strip() == "[]"
