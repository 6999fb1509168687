"""Show on a private instance that it works, and how fast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from infrastructure.cli.commands import examples
from infrastructure.cli.starting import read_settings, run

COUNT, AMOUNT = click.IntRange(min=0), click.FloatRange(min=0)


@click.command(epilog=examples("carillon demo"))
def demo() -> None:
    """Tell the story of ten notifications on a private instance; fail unless all of it happened."""
    from infrastructure.local.demo import demo as run_demo

    run(run_demo(), read_settings())


@click.command(
    context_settings={"show_default": True},
    epilog=examples(
        "carillon bench",
        "carillon bench --notifications 5000 --rate 100 --json figures.json",
        "carillon bench --all-channels --embedded",
        "carillon bench --history 1000000 --compare-history -- --workers 2",
    ),
)
@click.option("--notifications", type=COUNT, default=20_000, help="How many are posted as fast as they go,")
@click.option("--connections", type=click.IntRange(min=1), default=64, help="over so many connections.")
@click.option("--rate", type=AMOUNT, default=150, help="Then so many a second, whatever becomes of the others,")
@click.option("--seconds", type=AMOUNT, default=20, help="for so long.")
@click.option("--intake-rate", type=AMOUNT, default=500, help="Then so many a second to the intake alone,")
@click.option(
    "--intake-seconds", type=AMOUNT, default=20, help="for so long, and as many to a route that does nothing."
)
@click.option("--rest-seconds", type=AMOUNT, default=10, help="Then nothing for so long.")
@click.option("--warm-up", type=COUNT, default=500, help="How many are posted before anything is measured.")
@click.option("--users", type=click.IntRange(min=1), default=10_000, help="How many people there are.")
@click.option("--latency-ms", type=AMOUNT, default=0, help="How long the mail server takes for each mail.")
@click.option("--chunking/--no-chunking", default=True, help="Whether the mail server offers CHUNKING.")
@click.option("--pipelining/--no-pipelining", default=True, help="Whether the mail server offers PIPELINING.")
@click.option("--swallow", type=COUNT, default=0, help="Have the mail server lose so many, to see the benchmark fail.")
@click.option("--all-channels", is_flag=True, help="Every channel in turn, the sandbox for all but mail.")
@click.option("--embedded", is_flag=True, help="Without RabbitMQ: the broker is in the process.")
@click.option("--history", type=COUNT, default=0, help="How many ended notifications are in the database before.")
@click.option("--compare-history", is_flag=True, help="Measure with empty tables too, and print the ratio.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures to this file too.")
@click.argument("shape", nargs=-1, metavar="[-- OPTIONS OF UP]")
def bench(**choices: Any) -> None:
    """Measure a private instance: throughput, latency, cost. Fails if anything is lost or left unsent.

    Postgres and RabbitMQ are private too, unless DATABASE_URL and AMQP_URL name servers: a database of its own is made
    there and dropped afterwards, and the broker's queues must be nobody else's.
    """
    from infrastructure.bench.bench import bench as run_bench
    from infrastructure.bench.options import Options

    known = read_settings()
    if not run(run_bench(Options(**choices), known), known):
        raise click.ClickException("something was lost, or left unsent")
