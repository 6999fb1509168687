"""The command line: `carillon`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from shared.errors import CarillonError, SettingMissing
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


@click.group()
@click.version_option(VERSION, prog_name="carillon")
def main() -> None:
    """Carillon, a notification platform. Settings come from the environment."""


@main.command()
@click.option("--processes", is_flag=True, help="One process per function, called as Knative calls it. Needs AMQP_URL.")
@click.option("--batch", is_flag=True, help="With --processes: send what is there together, not one event a request.")
@click.option("--port", type=click.IntRange(0, 65535), help="Listen here instead of PORT; 0 takes a free one.")
@MANIFESTS
def up(*, processes: bool, batch: bool, port: int | None, folder: Path | None) -> None:
    """Run everything on this machine until Ctrl-C."""
    from infrastructure.local.manifests import DEFAULT_FOLDER
    from infrastructure.local.up import Shape
    from infrastructure.local.up import up as run_up

    known = _settings()
    if port is not None:
        known = known.model_copy(update={"port": port})
    shape = Shape(as_processes=processes, batch=batch)
    _run(run_up(known, folder=folder or DEFAULT_FOLDER, shape=shape), known)


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
    """Tell the story of five notifications on a private instance; fail unless all of it happened."""
    from infrastructure.local.demo import demo as run_demo

    _run(run_demo(), _settings())


@main.command()
def migrate() -> None:
    """Bring the database at DATABASE_URL up to date."""
    from shared.store.migrating import migrate as run_migrations

    known = _settings()
    if known.database_url is None:
        raise Misconfigured("DATABASE_URL is missing: set it to postgresql://user:password@host:5432/database")
    applied = _run(run_migrations(known.database_url.get_secret_value()), known)
    click.echo("\n".join(f"applied {name}" for name in applied) or "nothing to do")


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
        lines = [f"{'_'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in found]
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
