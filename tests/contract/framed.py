"""A deliver step in its frame over a store of either kind, and the commands that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from shared import outbox
from shared.broker import Broker
from shared.events import Event, decode
from shared.outcomes import Line, Provider
from shared.runtime import Resources
from shared.saga import CommandOwed
from shared.settings import Settings
from shared.step import Frame, delivery
from shared.store.claims import Command
from tests.contract.stage import EMAIL, TENANT, Stage
from tests.fakes import HoldingBroker


def frame_around(providers: Provider | Sequence[Line], stage: Stage, broker: HoldingBroker) -> Frame:
    """Open the step that delivers e-mail."""
    settings = Settings(api_keys=None, host="127.0.0.1", channels="email,websocket")
    resources = Resources(settings=settings, store=stage.store, broker=cast(Broker, broker))
    step = delivery("deliver-email", EMAIL, lambda _: providers)
    return Frame(step.name, step.takes, step.open(resources), resources)


def event_for(command: Command) -> Event:
    """Write the event of a command, as orchestrate does."""
    item = CommandOwed(channel=EMAIL, attempt=command.attempt, epoch=command.epoch)
    event = decode(outbox.write("orchestrate", outbox.About(command.notification_id, TENANT), item).body)
    assert isinstance(event, Event)
    return event
