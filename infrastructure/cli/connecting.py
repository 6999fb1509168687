"""Where the server is, who calls, and how a call to it ends."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from infrastructure.cli.exits import OF_STATUS, Ended, Exit, misconfigured

if TYPE_CHECKING:
    from infrastructure.client import Carillon, Problem, ServiceUnavailable
    from infrastructure.client.settings import ClientSettings

T = TypeVar("T")
Work = Callable[["Carillon"], Awaitable[T]]
PATIENCE_SECONDS = 15.0

_HINTS = {
    401: "set CARILLON_API_KEY, or --key-file: carillon keys create makes a key",
    403: "this key may not do that: it needs another scope",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What the options say of the server; what they leave open the environment says."""

    url: str | None = None
    key_file: Path | None = None
    patience_seconds: float | None = None

    def settings(self) -> ClientSettings:
        """Read what is known.

        Raises:
            Ended: something of it is wrong; it is named, and a key is never shown.
        """
        from pydantic import ValidationError

        from infrastructure.client.settings import ClientSettings

        said: dict[str, Any] = {
            name: value for name, value in (("url", self.url), ("key_file", self.key_file)) if value is not None
        }
        try:
            return ClientSettings(**said)
        except ValidationError as broken:
            found = broken.errors(include_url=False, include_context=False, include_input=False)
            lines = [
                f"CARILLON_{'_'.join(map(str, one['loc'])).upper()}: {one['msg'].removeprefix('Value error, ')}"
                for one in found
            ]
            raise misconfigured("\n".join(lines)) from None

    def key(self, known: ClientSettings) -> str:
        """Find the key: in the file of --key-file, in CARILLON_API_KEY, or in the file of CARILLON_KEY_FILE.

        Raises:
            Ended: the file holds none.
        """
        if self.key_file is None and known.api_key is not None:
            return known.api_key.get_secret_value().strip()
        return read_key(known.key_file) if known.key_file is not None else ""

    @asynccontextmanager
    async def open(self, usual_patience_seconds: float = PATIENCE_SECONDS) -> AsyncIterator[Carillon]:
        """Open a client that is as patient as was asked for, else as usual."""
        from infrastructure.client import Carillon
        from infrastructure.client.patience import Patience

        known = self.settings()
        patience = Patience(seconds=self.patience_seconds or usual_patience_seconds)
        async with Carillon(known.url, key=self.key(known), patience=patience) as carillon:
            yield carillon


def read_key(path: Path) -> str:
    """Read a key from a file.

    Raises:
        Ended: it cannot be read, or is no key. It is not shown.
    """
    from infrastructure.client.settings import is_key

    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        raise misconfigured(f"the key file {path} cannot be read") from None
    if not is_key(key):
        raise misconfigured(f"the key file {path} holds no key, or more than one line")
    return key


def at_server(command: Callable[..., T]) -> Callable[..., T]:
    """Give a command the options that say where the server is, as `where`.

    There is no option for the key itself: a command line can be read by everybody on the machine (`ps`), and stays in
    the shell's history.
    """

    @wraps(command)
    def with_where(*, url: str | None, key_file: Path | None, patience: float | None, **others: Any) -> T:
        return command(where=Where(url=url, key_file=key_file, patience_seconds=patience), **others)

    options = (
        click.option("--url", help="Where the server is, instead of CARILLON_URL or http://localhost:8000."),
        click.option(
            "--key-file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="A file with the API key, instead of CARILLON_API_KEY.",
        ),
        click.option(
            "--patience",
            type=click.FloatRange(min=0.1, max=3600),
            metavar="SECONDS",
            help=f"How long to go on asking a server that is away; {PATIENCE_SECONDS:g} if nothing is said.",
        ),
    )
    for option in reversed(options):
        with_where = option(with_where)
    return with_where


def ask(where: Where, work: Work[T], *, usual_patience_seconds: float = PATIENCE_SECONDS) -> T:
    """Do something at the server.

    Raises:
        Ended: it is refused, away for too long, or still under way; with the code that says so.
    """
    import asyncio

    from infrastructure.client import RequestRefused, ServiceUnavailable, StillUnderWay

    async def at_work() -> T:
        async with where.open(usual_patience_seconds) as carillon:
            return await work(carillon)

    gc.enable()
    try:
        return asyncio.run(at_work())
    except RequestRefused as refused:
        raise refusal(refused.problem) from None
    except ServiceUnavailable as away:
        raise unavailable(where, away) from None
    except StillUnderWay as under_way:
        raise Ended(Exit.UNDER_WAY, f"still under way: {under_way}") from None


def unavailable(where: Where, away: ServiceUnavailable) -> Ended:
    """Tell that the server is away, and where it was looked for."""
    return Ended(Exit.UNAVAILABLE, f"Carillon at {where.settings().url} is away: {away}")


def refusal(problem: Problem) -> Ended:
    """Tell of a refusal: its words, every field that is wrong, and what to do."""
    lines = [str(problem), *(f"  {field}: {detail}" for field, detail in problem.errors if problem.field != field)]
    if problem.status in _HINTS:
        lines.append(_HINTS[problem.status])
    return Ended(OF_STATUS.get(problem.status, Exit.FAILED), "\n".join(lines))
