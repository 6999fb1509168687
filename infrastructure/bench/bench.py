"""The benchmark: campaigns of measurements, told in a table."""

from __future__ import annotations

import asyncio
import signal
import sys

import click

from infrastructure.bench import report
from infrastructure.bench.campaign import NotMeasurable, campaign
from infrastructure.bench.options import Options
from shared.settings import Settings


async def bench(options: Options, settings: Settings) -> bool:
    """Run it and print what was found; return whether nothing was lost or left unsent.

    Raises:
        NotMeasurable: this is not Linux, or the options make no sense together.
    """
    if sys.platform != "linux":
        raise NotMeasurable("the benchmark reads /proc, so it runs on Linux only")
    if options.compare_history and not options.history:
        raise NotMeasurable("--compare-history needs --history ROWS")
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    campaigns = [await campaign(options, settings, rows, say) for rows in options.histories]
    click.echo(report.text(options, campaigns))
    if options.json_file is not None:
        options.json_file.write_text(report.document(options, campaigns))
    return all(one.is_whole for one in campaigns)


def say(what: str) -> None:
    """Tell what is going on, beside the result."""
    click.echo(f"bench: {what}", err=True)
