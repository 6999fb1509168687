"""A Knative Broker with its Triggers, in this process: for the overlay that has them, where there is no RabbitMQ."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from infrastructure.local.broker_ingress import Carried, Ingress
from infrastructure.local.dispatcher import Dispatcher, Receiver
from infrastructure.local.functions import started
from infrastructure.local.processes import LOOPBACK
from infrastructure.local.records import Manifests, Trigger
from infrastructure.local.server import HttpServer, listen
from shared.errors import SettingMissing
from shared.settings import Settings

log = logging.getLogger("carillon.local.knative_broker")


class TriggerRunner:
    """One Trigger: the events that it asks for, and the dead letters among them."""

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger
        self._main = Dispatcher(trigger.name, trigger.parallelism, trigger.delivery, self._bury)
        self._dead = Dispatcher(f"{trigger.name}-dlx", trigger.parallelism, trigger.delivery, self._drop)

    def wants(self, event: Carried) -> bool:
        """Tell whether every attribute of the filter is there, of the same type and equal. No filter wants all."""
        return all(event.attributes.get(name) == value for name, value in self.trigger.attributes.items())

    @property
    def has_room(self) -> bool:
        """Whether another event may wait."""
        return self._main.has_room

    def offer(self, event: Carried) -> None:
        """Take an event."""
        self._main.offer(event)

    def start(self, receivers: Mapping[str, Receiver]) -> None:
        """Begin to deliver to the functions of these names."""
        if sink := self.trigger.delivery.dead_letter_service:
            self._dead.start(receivers[sink])
        self._main.start(receivers[self.trigger.service])

    async def stop(self) -> None:
        """End in order."""
        await self._main.stop()
        await self._dead.stop()

    def _bury(self, event: Carried, status: int) -> None:
        """Have the dead-letter sink told. The event is acknowledged by now, so this is its last way."""
        trigger = self.trigger
        if trigger.delivery.dead_letter_service is None or not self._dead.has_room:
            self._drop(event, status)
            return
        where = f"http://{trigger.service}.{trigger.namespace}.svc.cluster.local"
        log.warning(
            "an event goes to the dead-letter sink",
            extra={"queue": trigger.name, "event_id": event.attributes["id"], "status": status},
        )
        self._dead.offer(event.marked(knativeerrordest=where, knativeerrorcode=str(status)))

    def _drop(self, event: Carried, status: int) -> None:
        log.error(
            "an event is dropped, and owed still",
            extra={"queue": self.trigger.name, "event_id": event.attributes["id"], "status": status},
        )


class KnativeBroker:
    """An ingress on loopback, and a runner for each Trigger."""

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        self._runners = [TriggerRunner(trigger) for trigger in triggers]

    def take(self, event: Carried) -> bool:
        """Give an event to every Trigger that wants it; False, and to none, when one of them has no room."""
        wanting = [runner for runner in self._runners if runner.wants(event)]
        if not all(runner.has_room for runner in wanting):
            return False
        for runner in wanting:
            runner.offer(event)
        return True

    async def listen(self, stack: AsyncExitStack) -> str:
        """Open the ingress, and return its address; events are kept until the Triggers start."""
        listener = stack.enter_context(listen(LOOPBACK, 0))
        server = HttpServer(Ingress(self.take), listener)
        await started(stack, server.start, server.stop)
        return f"http://{LOOPBACK}:{server.port}"

    async def deliver(self, receivers: Mapping[str, Receiver], stack: AsyncExitStack) -> None:
        """Have the Triggers deliver to the functions of these names, until the stack unwinds."""
        stack.push_async_callback(self._stop)
        for runner in self._runners:
            runner.start(receivers)

    async def _stop(self) -> None:
        await asyncio.gather(*[runner.stop() for runner in self._runners])


def check(settings: Settings, known: Manifests, *, workers: int = 1, batch: bool = False) -> None:
    """Refuse what does not go with a Broker among the manifests, or without one.

    Raises:
        SettingMissing: names the setting, or the option.
    """
    if known.broker is None:
        if settings.k_sink is not None:
            raise SettingMissing("K_SINK is set, and these manifests have no Broker: nothing would bring messages back")
        return
    if settings.amqp_url is not None:
        raise SettingMissing(
            f"AMQP_URL is set, and these manifests have the Broker {known.broker}: take AMQP_URL away, or manifests "
            "with sources"
        )
    if settings.k_sink is not None:
        raise SettingMissing(f"K_SINK is set, and is the address of the Broker {known.broker} here: take it away")
    if batch:
        raise SettingMissing("--batch is for sources: a Broker sends one event a request")
    if workers > 1:
        raise SettingMissing("--workers do not share a Broker: its Triggers are in one process. --processes do")
