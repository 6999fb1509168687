"""The table of strikes: what is struck, how, and for how long the world feels it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from random import Random

from shared.broker import topology
from shared.statuses import Channel
from shared.store.claims import LEASE_SECONDS
from tests.chaos import strikes_on_connections as connections
from tests.chaos import strikes_on_functions as functions
from tests.chaos import strikes_on_postgres as postgres
from tests.chaos import strikes_on_queues as queues
from tests.chaos import strikes_on_rabbitmq as rabbitmq
from tests.chaos.world import ALONE, SOURCES, World

STEPS = ("ingest", "orchestrate", "deliver-email", "push-ws", "compensate", "sweep")
FUNCTIONS = (*STEPS, *sorted(ALONE), SOURCES)
CLAIMING = ("deliver-email", "push-ws")
ESSENTIAL = ("orchestrate", "deliver-email")
PAST_THE_LEASE_SECONDS = LEASE_SECONDS + 2.0
ECHO_SECONDS = 15.0

CHANNELS = (Channel.EMAIL, Channel.WEBSOCKET)
WORK_QUEUES = (topology.EVENTS, *map(topology.commands, CHANNELS), topology.RESULTS, topology.COMPENSATIONS)
USED_DELAYS = (2, 4, 8, 15, 60)


class Target(StrEnum):
    """What kind of thing is struck, and so how large its share of a run is."""

    KILLED = "killed"  # a function, by SIGKILL
    STOPPED = "stopped"  # a function, by SIGSTOP past the lease, and then SIGCONT
    RABBITMQ = "RabbitMQ"
    POSTGRES = "Postgres"
    QUEUE = "queue"  # deleted or purged
    CONNECTION = "connection"  # of RabbitMQ, Postgres, SMTP


SHARES = {  # stops are drawn first: they say what is left for the others in a short run
    Target.STOPPED: 0.20,
    Target.KILLED: 0.28,
    Target.RABBITMQ: 0.07,
    Target.POSTGRES: 0.07,
    Target.QUEUE: 0.26,
    Target.CONNECTION: 0.12,
}

Act = Callable[[World, Random], Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One row. `act` strikes, and returns how it is known that work was in flight.

    `holds` is the function of which `act` leaves a replica stopped for `lasts_seconds`, while other strikes go on.
    `echo_seconds` is how long the longest consequence by design is: a lease, an open breaker, a look of the sweep.
    """

    name: str
    target: Target
    act: Act = field(repr=False)
    function: str = ""
    lasts_seconds: float = 0.0
    echo_seconds: float = ECHO_SECONDS
    is_essential: bool = False  # in every run, however short
    is_rare: bool = False  # once in a run: everything stands still for a minute
    misses_retry: bool = False  # what is rejected next finds no `events.retry`, or was to be found there

    def is_possible(self, world: World) -> bool:
        """Tell whether its victim is free for it now: of each function one replica at most is stopped at a time."""
        if self.misses_retry and not world.is_retry_at_work():
            return False
        if not self.function:
            return True
        free = world.free(self.function)
        return len(free) == len(world.replicas[self.function]) if self.lasts_seconds else bool(free)


def table(outage_seconds: float, longest_delay_seconds: float) -> list[Strike]:
    """List every strike. RabbitMQ and Postgres are stopped for `outage_seconds`.

    Delay queues that nothing waits in during this run are left to the strike that deletes all.
    """
    delays = [seconds for seconds in USED_DELAYS if seconds <= longest_delay_seconds]
    return [*_on_functions(), *_on_services(outage_seconds), *_on_queues(delays), *_on_connections()]


def _on_functions() -> list[Strike]:
    killed = [
        Strike(
            name=f"kill -9 {name}",
            target=Target.KILLED,
            act=partial(functions.kill_one, name),
            function=name,
            echo_seconds=LEASE_SECONDS + 5 if name in CLAIMING else ECHO_SECONDS,
            is_essential=name in ESSENTIAL,
        )
        for name in FUNCTIONS
    ]
    stopped = [
        Strike(
            name=f"SIGSTOP {name}",
            target=Target.STOPPED,
            act=partial(functions.stop_one, name),
            function=name,
            lasts_seconds=PAST_THE_LEASE_SECONDS,
            echo_seconds=PAST_THE_LEASE_SECONDS + 5,
            is_essential=name in ESSENTIAL,
        )
        for name in FUNCTIONS
    ]
    return [*killed, *stopped]


def _on_services(outage_seconds: float) -> list[Strike]:
    acts: dict[str, tuple[Target, Act]] = {
        "kill -9 RabbitMQ": (Target.RABBITMQ, rabbitmq.kill),
        f"SIGSTOP RabbitMQ, {outage_seconds:.0f} s": (Target.RABBITMQ, partial(rabbitmq.stop, outage_seconds)),
        "restart RabbitMQ": (Target.RABBITMQ, rabbitmq.restart),
        "kill -9 Postgres": (Target.POSTGRES, postgres.kill),
        f"SIGSTOP Postgres, {outage_seconds:.0f} s": (Target.POSTGRES, partial(postgres.stop, outage_seconds)),
        "immediate shutdown of Postgres": (Target.POSTGRES, postgres.shut_down_at_once),
    }
    return [
        Strike(name=name, target=target, act=act, is_rare=name.startswith("SIGSTOP"))
        for name, (target, act) in acts.items()
    ]


def _on_queues(delays: list[int]) -> list[Strike]:
    waiting = [topology.delay(seconds) for seconds in delays]
    acts: dict[str, Act] = {f"delete {name}": partial(queues.delete_at_work, name) for name in WORK_QUEUES}
    acts |= {f"delete {name}": partial(queues.delete_waiting, name) for name in waiting}
    acts |= {f"purge {name}": partial(queues.purge_waiting, name) for name in waiting}
    missing: dict[str, Act] = {
        f"delete {topology.RETRY}": queues.delete_rejected,
        f"purge {topology.RETRY}": queues.purge_rejected,
        "delete every queue and exchange": queues.delete_everything,
    }
    return [
        Strike(name=name, target=Target.QUEUE, act=queues.mending(act), misses_retry=name in missing)
        for name, act in (acts | missing).items()
    ]


def _on_connections() -> list[Strike]:
    return [
        Strike(name="close the connections of RabbitMQ", target=Target.CONNECTION, act=connections.close_rabbitmq),
        Strike(name="terminate the backends of Postgres", target=Target.CONNECTION, act=connections.close_postgres),
        Strike(
            name="cut the connections of SMTP",
            target=Target.CONNECTION,
            act=connections.cut_smtp,
            echo_seconds=LEASE_SECONDS + 10,  # an open breaker
        ),
    ]
