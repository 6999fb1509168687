"""What a process holds while it runs: settings, the store, the broker, the metrics."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from shared.broker import Broker, Message, PublishRefused
from shared.broker.outgoing import Outgoing
from shared.broker.protocol import Leaning
from shared.loop_lag import LoopLag
from shared.metrics import Metrics
from shared.observing import Observer
from shared.saga.owed import GRACE, NO_GRACE
from shared.settings import Settings
from shared.store import Store
from shared.store.migrating import migrate
from shared.tracing import Tracing, open_tracing
from shared.workflow_files import WorkflowFile, read_file, stored

if TYPE_CHECKING:
    from shared.auth import Gate

log = logging.getLogger(__name__)


@dataclass
class Resources:
    """The neighbours of every function in this process. Functions are stateless; this is all they share."""

    settings: Settings
    store: Store
    broker: Broker
    metrics: Metrics = field(default_factory=Metrics)
    tracing: Tracing | None = None

    @classmethod
    async def open(cls, settings: Settings, broker: Broker, *, database_url: str) -> Resources:
        """Migrate, connect to the database (waiting for it), and connect to the broker (not waiting for it).

        Raises:
            SettingMissing: traces are asked for, and cannot be made.
            WorkflowsMalformed: the file of workflows cannot be read; it names the line.
            DatabaseUnavailable: it did not answer within a minute.
        """
        tracing = open_tracing(settings)
        rules = read_file(settings.workflows_file) if settings.workflows_file else None
        await migrate(database_url)
        store = Store(database_url, pool_max=settings.database_pool_max, grace=GRACE if broker.holds_back else NO_GRACE)
        await store.open()
        if rules:
            await _put_in_place(store, rules)
        resources = cls(settings=settings, store=store, broker=broker, tracing=tracing)
        broker.on_loss = resources.on_loss
        if isinstance(broker, Leaning):
            broker.lean_on(store.hints, store.looks.look_by)
        await broker.start()
        resources.metrics.backlog_limit.set(settings.intake_backlog_max)
        resources._lag.start()
        resources.observer  # noqa: B018 - how long nobody has swept counts from now
        return resources

    @cached_property
    def observer(self) -> Observer:
        """What a scrape looks at."""
        return Observer(self.store, self.metrics)

    @cached_property
    def _lag(self) -> LoopLag:
        return LoopLag(self.metrics.loop_lag)

    @cached_property
    def gate(self) -> Gate:
        """The gate before every operation, made where there is one: a step has none, and needs no keys.

        Raises:
            SettingMissing: nobody could call, or everybody.
        """
        from shared.auth import Gate  # what reads tokens is a third of what such a process loads

        return Gate(self.settings, self.store, self.metrics)

    async def publish(self, messages: Sequence[Message]) -> list[PublishRefused | None]:
        """Publish what is owed; return for each message None when it was confirmed, or why it was not."""
        return await self._outgoing.publish(messages)

    @cached_property
    def _outgoing(self) -> Outgoing:
        return Outgoing(self.broker)

    async def on_loss(self) -> None:
        """Publish again soon what is owed: the broker has lost what it held."""
        count = await self.store.sagas.hasten() + await self.store.fan_outs.hasten()
        if count:
            log.warning("the broker lost what it held; what is owed is published again", extra={"count": count})

    async def close(self) -> None:
        """Let go, the broker first: its last acknowledgements belong to rows that are committed."""
        await self.broker.stop()
        self._lag.stop()
        if "gate" in vars(self):
            await self.gate.close()
        await self.store.close()
        if self.tracing:
            await self.tracing.close()


async def _put_in_place(store: Store, rules: WorkflowFile) -> None:
    """Keep the workflows of a file, as every process of every start does: what is there already is not written."""
    for tenant in rules.tenants:
        changed = await store.directory.put_workflows(tenant, stored(rules.workflows))
        if changed:
            log.info("workflows were put in place from their file", extra={"tenant": tenant, "count": changed})
