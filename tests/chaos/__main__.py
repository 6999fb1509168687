"""`python -m tests.chaos`: strike real processes under load, and hold Carillon to its promises."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import signal
import sys
from pathlib import Path

import uvloop

from tests.chaos.evidence import NoWorkCame
from tests.chaos.plan import Size, full, short
from tests.chaos.program import chaos


def main() -> int:
    """Run, and return 1 if a promise was broken or a strike found nothing to hit."""
    asked = _arguments()
    if asked.logs:
        asked.logs.mkdir(parents=True, exist_ok=True)
    make = short if asked.short else full
    size = make(asked.strikes or (20 if asked.short else 100), asked.notifications or (900 if asked.short else 10_000))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(size, asked.seed, asked.logs))


async def _run(size: Size, seed: int, logs: Path | None) -> int:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # leave no stopped process behind
    try:
        return 0 if await chaos(size, seed, _say, logs) else 1
    except NoWorkCame as idle:
        _say(f"seed {seed}: a strike found nothing to hit: {idle}")
        return 1
    except asyncio.CancelledError:
        _say(f"seed {seed}: stopped before its end")
        return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="Repeat this plan.")
    parser.add_argument("--strikes", type=int, help="How many strikes fall: 100, or 20 if short.")
    parser.add_argument("--notifications", type=int, help="How many are posted meanwhile: 10,000, or 900 if short.")
    parser.add_argument("--short", action="store_true", help="Short outages, in about two minutes and a half.")
    parser.add_argument("--logs", type=Path, help="Keep logs and notifications in this folder.")
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
