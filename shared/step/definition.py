"""How a function's folder says what it is. `shared/serve.py` turns it into an ASGI app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from shared.events import EventType
from shared.operations import Operation
from shared.outcomes import Line, Provider
from shared.runtime import Resources
from shared.statuses import Channel
from shared.step.answers import Work
from shared.step.delivering import Delivering
from shared.step.lines import open_lines
from shared.step.sets import HandleSet, SetWork
from shared.step.traced import traced
from shared.store.claims import LEASE_SECONDS

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A triggered function: what it takes, and its work over sets."""

    name: str
    takes: frozenset[EventType]
    open: Callable[[Resources], Work]


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """A function that clients call over HTTP, at its own full paths."""

    name: str
    open: Callable[[Resources], ApiWork]
    operations: Sequence[Operation]


class ApiWork:
    """The routes of an API function, and what it must finish before the process ends.

    `exact` holds the addresses that every notification passes, by method and path: they are looked up, not matched.
    """

    def __init__(self, routes: Sequence[BaseRoute], exact: Mapping[tuple[str, str], Endpoint] | None = None) -> None:
        self.routes = list(routes)
        self.exact = dict(exact or {})

    async def start(self) -> None:
        """Begin what runs beside the requests."""

    async def dismiss(self) -> None:
        """Let those go whose requests would not end by themselves: the server is about to wait for all of them."""

    async def close(self) -> None:
        """Finish it."""


def over_sets(name: str, takes: set[EventType], handle: HandleSet) -> Step:
    """Define a step whose work is one transaction over a set."""
    return Step(name=name, takes=frozenset(takes), open=lambda resources: SetWork(name, resources, handle))


def delivery(
    name: str,
    channel: Channel,
    providers: Callable[[Resources], Provider | Sequence[Line]],
    *,
    patience_seconds: float = LEASE_SECONDS,
) -> Step:
    """Define a deliver step: everything but the call to the provider is the frame's.

    `providers` makes one, or several with their weights; the frame chooses among them (`shared/step/choosing.py`).
    For `patience_seconds`, within its lease, it waits for a database that is away when an outcome is to be recorded.
    """
    return Step(
        name=name,
        takes=frozenset({EventType.DELIVERY_REQUESTED}),
        open=lambda resources: Delivering(
            name,
            channel,
            open_lines(_seen(providers(resources), resources), resources.store.breakers),
            resources,
            patience_seconds=patience_seconds,
        ),
    )


def _seen(found: Provider | Sequence[Line], resources: Resources) -> Provider | Sequence[Line]:
    return traced(found, resources.tracing) if resources.tracing else found
