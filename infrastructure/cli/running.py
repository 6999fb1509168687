"""Run Carillon, or a part of it, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from infrastructure.cli.commands import examples
from infrastructure.cli.starting import MANIFESTS, read_settings, run

if TYPE_CHECKING:
    from infrastructure.local.addresses import Addresses

SERVICES = click.option(
    "--service", "services", multiple=True, metavar="NAME=URL", help="Where a function is. Once for each."
)
AT = click.option("--at", metavar="URL", help="Where all others are, as in http://{name}:8080.")


@click.command(
    epilog=examples(
        "carillon up",
        "PORT=8001 carillon up",
        "carillon up --workers 2",
        "carillon up --processes --batch",
        "carillon up --manifests knative/overlays/broker",
    )
)
@click.option(
    "--processes",
    is_flag=True,
    help="One process per function, called as Knative calls it. Needs AMQP_URL, or manifests with a Broker.",
)
@click.option("--batch", is_flag=True, help="With --processes: send what is there together, not one event a request.")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, help="Share the work among so many processes. Needs AMQP_URL."
)
@click.option("--port", type=click.IntRange(0, 65535), help="Listen here instead of PORT; 0 takes a free one.")
@MANIFESTS
def up(*, processes: bool, batch: bool, workers: int, port: int | None, folder: Path | None) -> None:
    """Run everything on this machine until Ctrl-C.

    Settings come from the environment. Without any the database is an embedded one, the broker is in the process, and
    a sandbox keeps every message.
    """
    from infrastructure.local.manifests import DEFAULT_FOLDER
    from infrastructure.local.up import Shape
    from infrastructure.local.up import up as run_up

    known = read_settings()
    if port is not None:
        known = known.model_copy(update={"port": port})
    if processes and workers > 1:
        raise click.UsageError("--processes and --workers are two shapes: choose one")
    shape = Shape(as_processes=processes, batch=batch, workers=workers)
    run(run_up(known, folder=folder or DEFAULT_FOLDER, shape=shape), known)


@click.command(hidden=True, epilog=examples("carillon worker 7 --part requests"))
@click.argument("descriptor", type=int)
@click.option("--sandbox", "sandbox_url", metavar="URL")
@click.option("--part", required=True)
@MANIFESTS
def worker(*, descriptor: int, sandbox_url: str | None, part: str, folder: Path | None) -> None:
    """Be one of `up --workers`, on a listening socket that was inherited."""
    from infrastructure.local.manifests import DEFAULT_FOLDER
    from infrastructure.local.workers import Part, work

    known = read_settings()
    place = folder or DEFAULT_FOLDER
    run(work(known, descriptor, folder=place, sandbox_url=sandbox_url, part=Part(part)), known)


@click.command(
    epilog=examples(
        "carillon serve ingest",
        "HOST=0.0.0.0 PORT=8080 carillon serve deliver-email",
        "FUNCTION=ingest carillon serve",
    )
)
@click.argument("name", required=False)
def serve(name: str | None) -> None:
    """Run one function on HOST:PORT, as a container does. Without NAME it is the one that FUNCTION names."""
    from infrastructure.local.serve import serve as run_serve

    known = read_settings()
    chosen = name or known.function
    if chosen is None:
        raise click.UsageError("say which function, or set FUNCTION")
    run(run_serve(chosen, known), known)


@click.command(
    epilog=examples(
        "carillon sources --service orchestrate=http://orchestrate:8080 --service sweep=http://sweep:8080",
        "carillon sources --batch --listen --at http://{name}:8080",
    )
)
@SERVICES
@AT
@click.option("--batch", is_flag=True, help="Send what is there together as a CloudEvents batch.")
@click.option("--listen", "is_watched", is_flag=True, help="Answer /health and /health/ready on HOST:PORT.")
@MANIFESTS
def sources(*, services: tuple[str, ...], at: str | None, batch: bool, is_watched: bool, folder: Path | None) -> None:
    """Carry messages from RabbitMQ to functions over HTTP, where no Knative does."""
    from infrastructure.local.connector import run_sources
    from infrastructure.local.manifests import DEFAULT_FOLDER

    known = read_settings()
    addresses = _addresses(services, at)
    run(run_sources(known, addresses, batch=batch, is_watched=is_watched, folder=folder or DEFAULT_FOLDER), known)


@click.command(
    epilog=examples(
        "carillon gateway --at http://{name}:8080",
        "PORT=8000 carillon gateway --at http://{name}:8080 --service sandbox=http://sandbox:8080",
    )
)
@SERVICES
@AT
@MANIFESTS
def gateway(*, services: tuple[str, ...], at: str | None, folder: Path | None) -> None:
    """Be the one address of functions that run elsewhere, on HOST:PORT, by the manifests' table of routes."""
    from infrastructure.local.front_door import run_gateway
    from infrastructure.local.manifests import DEFAULT_FOLDER

    known = read_settings()
    run(run_gateway(known, _addresses(services, at), folder=folder or DEFAULT_FOLDER), known)


@click.command(
    context_settings={"show_default": True},
    epilog=examples("carillon sandbox", "PORT=8080 carillon sandbox --smtp-port 2525"),
)
@click.option("--smtp-port", type=click.IntRange(0, 65535), default=1025, help="Where mails are taken.")
@click.option("--providers-port", type=click.IntRange(0, 65535), default=8081, help="Where the other providers are.")
def sandbox(*, smtp_port: int, providers_port: int) -> None:
    """Stand in for every provider, for functions that run elsewhere; the mailbox is on HOST:PORT, at /sandbox."""
    from infrastructure.local.stand_ins import run_sandbox

    known = read_settings()
    run(run_sandbox(known, smtp_port=smtp_port, providers_port=providers_port), known)


def _addresses(services: tuple[str, ...], pattern: str | None) -> Addresses:
    from infrastructure.local.addresses import Addresses

    if pattern is not None and ("{name}" not in pattern or not pattern.startswith(("http://", "https://"))):
        raise click.BadParameter(f"{pattern!r} is no address with {{name}} in it", param_hint="--at")
    return Addresses(named=dict(_address(pair) for pair in services), pattern=pattern)


def _address(pair: str) -> tuple[str, str]:
    name, _, url = pair.partition("=")
    if not name or not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{pair!r} is not NAME=URL", param_hint="--service")
    return name, url
