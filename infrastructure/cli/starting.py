"""What the commands stand on that run a part of Carillon here: the server's settings, a loop, and its end."""

from __future__ import annotations

import gc
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infrastructure.cli.exits import Ended, Exit, misconfigured

if TYPE_CHECKING:
    from shared.settings import Settings

MANIFESTS = click.option(
    "--manifests",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where Services, sources or Triggers, and routes are read from, instead of this project's knative/base.",
)


def read_settings() -> Settings:
    """Read the server's settings.

    Raises:
        Ended: some are wrong; each is named, and none is shown.
    """
    from pydantic import ValidationError

    from shared.errors import SettingMissing
    from shared.settings import settings

    try:
        return settings()
    except ValidationError as broken:
        found = broken.errors(include_url=False, include_context=False, include_input=False)
        lines = [": ".join(["_".join(map(str, one["loc"])).upper(), one["msg"]]).removeprefix(": ") for one in found]
        raise misconfigured("\n".join(lines)) from None
    except SettingMissing as missing:
        raise misconfigured(str(missing)) from None


def database_url(known: Settings) -> str:
    """Tell where the database is.

    Raises:
        Ended: no setting says so.
    """
    if known.database_url is None:
        raise misconfigured("DATABASE_URL is missing: set it to postgresql://user:password@host:5432/database")
    return known.database_url.get_secret_value()


def run(work: Coroutine[Any, Any, Any], known: Settings) -> Any:
    """Run to the end. What was foreseen to go wrong is one line; SIGTERM and Ctrl-C are no failures."""
    import asyncio

    from shared.errors import CarillonError, DatabaseUnavailable, SettingMissing
    from shared.logs import configure

    configure(known.log_level)
    try:
        return run_loop(work)
    except asyncio.CancelledError:
        raise click.ClickException("stopped before it was ready") from None
    except SettingMissing as missing:
        raise misconfigured(str(missing)) from None
    except DatabaseUnavailable as away:
        raise Ended(Exit.UNAVAILABLE, str(away)) from None
    except CarillonError as foreseen:
        raise click.ClickException(str(foreseen)) from None


def run_loop(work: Coroutine[Any, Any, Any]) -> Any:
    """Run something in the fastest loop that there is here."""
    import asyncio

    gc.freeze()
    gc.enable()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def _loop_factory() -> Any:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
