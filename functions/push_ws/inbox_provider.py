"""The inbox as a provider: a row is an acceptance, and a hint wakes whoever is connected."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shared.coalesce import Coalescer
from shared.errors import Transient
from shared.inbox.hints import write_hint
from shared.outcomes import Letter, Outcome
from shared.runtime import Resources
from shared.statuses import OutcomeKind
from shared.store.inbox import NewItem


class InboxProvider:
    """Our own inbox. The same message put twice is there once, so nothing about it is ever ambiguous."""

    name = "inbox"
    deadline_seconds: float = 15
    calls_at_once: int = 400

    def __init__(self, resources: Resources) -> None:
        self._inbox = resources.store.inbox
        self._broker = resources.broker
        self._puts: Coalescer[Letter, None] = Coalescer(self._put, max_size=200)

    async def send(self, letter: Letter) -> Outcome:
        """Put one message into the inbox; several at once are one statement."""
        try:
            async with asyncio.timeout(self.deadline_seconds):
                await self._puts.submit(letter)
        except (Transient, TimeoutError):  # it may be there; then it is put again, and is there once
            return Outcome(kind=OutcomeKind.TRANSIENT, code="inbox", reason="the inbox is away", provider=self.name)
        return Outcome(
            kind=OutcomeKind.ACCEPTED,
            code="kept",
            reason="the inbox holds it",
            provider=self.name,
            provider_message_id=str(letter.idempotency_key),
        )

    async def close(self) -> None:
        """Finish what is being put."""
        await self._puts.close()

    async def _put(self, letters: Sequence[Letter]) -> Sequence[None]:
        await self._inbox.put([_item(letter) for letter in letters])
        for tenant, user_id in {(letter.tenant, letter.user_id) for letter in letters}:
            self._broker.hint(write_hint(tenant, user_id))
        return [None] * len(letters)


def _item(letter: Letter) -> NewItem:
    content = {"event_type": letter.event_type, "subject": letter.subject, "message": letter.text}
    return NewItem(
        tenant=letter.tenant,
        user_id=letter.user_id,
        notification_id=letter.notification_id,
        epoch=letter.epoch,
        content=content,
    )
