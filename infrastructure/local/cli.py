"""The command line: `carillon`."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Coroutine
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from shared.access import SCOPES, Access
from shared.errors import CarillonError, SettingMissing
from shared.events import TENANT
from shared.settings import Settings, settings
from shared.version import VERSION


class Misconfigured(click.ClickException):
    """A setting is missing or wrong: no use in starting this again as it is."""

    exit_code = 2


MANIFESTS = click.option(
    "--manifests",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where Services, sources and routes are read from, instead of this project's knative/.",
)

COUNT, AMOUNT = click.IntRange(min=0), click.FloatRange(min=0)


@click.group()
@click.version_option(VERSION, prog_name="carillon")
def main() -> None:
    """Carillon, a notification platform. Settings come from the environment."""


@main.command()
@click.option("--processes", is_flag=True, help="One process per function, called as Knative calls it. Needs AMQP_URL.")
@click.option("--batch", is_flag=True, help="With --processes: send what is there together, not one event a request.")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, help="Share the work among so many processes. Needs AMQP_URL."
)
@click.option("--port", type=click.IntRange(0, 65535), help="Listen here instead of PORT; 0 takes a free one.")
@MANIFESTS
def up(*, processes: bool, batch: bool, workers: int, port: int | None, folder: Path | None) -> None:
    """Run everything on this machine until Ctrl-C."""
    from infrastructure.local.manifests import DEFAULT_FOLDER
    from infrastructure.local.up import Shape
    from infrastructure.local.up import up as run_up

    known = _settings()
    if port is not None:
        known = known.model_copy(update={"port": port})
    if processes and workers > 1:
        raise click.UsageError("--processes and --workers are two shapes: choose one")
    shape = Shape(as_processes=processes, batch=batch, workers=workers)
    _run(run_up(known, folder=folder or DEFAULT_FOLDER, shape=shape), known)


@main.command(hidden=True)
@click.argument("descriptor", type=int)
@click.option("--sandbox", "sandbox_url", metavar="URL")
@click.option("--part", required=True)
@MANIFESTS
def worker(*, descriptor: int, sandbox_url: str | None, part: str, folder: Path | None) -> None:
    """Be one of `up --workers`, on a listening socket that was inherited."""
    from infrastructure.local.manifests import DEFAULT_FOLDER
    from infrastructure.local.workers import Part, work

    known = _settings()
    place = folder or DEFAULT_FOLDER
    _run(work(known, descriptor, folder=place, sandbox_url=sandbox_url, part=Part(part)), known)


@main.command()
@click.argument("name")
def serve(name: str) -> None:
    """Run one function on HOST:PORT, as a container does."""
    from infrastructure.local.serve import serve as run_serve

    known = _settings()
    _run(run_serve(name, known), known)


@main.command()
@click.option("--service", "services", multiple=True, metavar="NAME=URL", help="Where a function is. Once for each.")
@click.option("--batch", is_flag=True, help="Send what is there together as a CloudEvents batch.")
@MANIFESTS
def sources(*, services: tuple[str, ...], batch: bool, folder: Path | None) -> None:
    """Carry messages from RabbitMQ to functions over HTTP, where no Knative does."""
    from infrastructure.local.manifests import DEFAULT_FOLDER
    from infrastructure.local.serve import run_sources

    known = _settings()
    addresses = dict(_address(pair) for pair in services)
    _run(run_sources(known, addresses, batch=batch, folder=folder or DEFAULT_FOLDER), known)


@main.command()
def demo() -> None:
    """Tell the story of six notifications on a private instance; fail unless all of it happened."""
    from infrastructure.local.demo import demo as run_demo

    _run(run_demo(), _settings())


@main.command(context_settings={"show_default": True})
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
    # By its name: the benchmark stands on this room, which must not stand on the benchmark.
    run_bench = import_module("infrastructure.bench.bench").bench
    options = import_module("infrastructure.bench.options").Options(**choices)
    known = _settings()
    if not _run(run_bench(options, known), known):
        raise click.ClickException("something was lost, or left unsent")


@main.command()
def migrate() -> None:
    """Bring the database at DATABASE_URL up to date."""
    from shared.store.migrating import migrate as run_migrations

    known = _settings()
    applied = _run(run_migrations(_database_url(known)), known)
    click.echo("\n".join(f"applied {name}" for name in applied) or "nothing to do")


@main.group()
def keys() -> None:
    """Make API keys in the database at DATABASE_URL."""


@keys.command()
@click.option("--tenant", required=True, help="Whose key: a-z, 0-9, - and _.")
@click.option("--name", required=True, help="What it is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in SCOPES]),
    help="Once for each.",
)
def create(*, tenant: str, name: str, scopes: tuple[str, ...]) -> None:
    """Make a key and print it: it is shown now and never again."""
    from infrastructure.local.keys import create_key

    if not re.fullmatch(TENANT, tenant):
        raise click.BadParameter("it has a-z, 0-9, - and _, and begins with a letter or digit", param_hint="--tenant")
    if not name.isprintable() or not 1 <= len(name) <= 100:
        raise click.BadParameter("it is 1 to 100 printable characters", param_hint="--name")
    known = _settings()
    scopes_asked = [Access(scope) for scope in scopes]
    click.echo(_run(create_key(_database_url(known), tenant, name, scopes_asked), known))


def _database_url(known: Settings) -> str:
    if known.database_url is None:
        raise Misconfigured("DATABASE_URL is missing: set it to postgresql://user:password@host:5432/database")
    return known.database_url.get_secret_value()


def _address(pair: str) -> tuple[str, str]:
    name, _, url = pair.partition("=")
    if not name or not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{pair!r} is not NAME=URL", param_hint="--service")
    return name, url


def _settings() -> Settings:
    try:
        return settings()
    except ValidationError as broken:
        found = broken.errors(include_url=False, include_context=False, include_input=False)
        lines = [": ".join(["_".join(map(str, one["loc"])).upper(), one["msg"]]).removeprefix(": ") for one in found]
        raise Misconfigured("\n".join(lines)) from None


def _run(work: Coroutine[Any, Any, Any], known: Settings) -> Any:
    """Run to the end. What was foreseen to go wrong is one line; SIGTERM and Ctrl-C are no failures."""
    from shared.logs import configure

    configure(known.log_level)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(work)
    except asyncio.CancelledError:
        raise click.ClickException("stopped before it was ready") from None
    except SettingMissing as missing:
        raise Misconfigured(str(missing)) from None
    except CarillonError as foreseen:
        raise click.ClickException(str(foreseen)) from None


def _loop_factory() -> Any:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
