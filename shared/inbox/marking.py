"""What people do with their messages: it is kept, the saga hears of it, and so does every open inbox of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from shared import outbox
from shared.coalesce import Coalescer
from shared.inbox.hints import write_hint
from shared.runtime import Resources
from shared.saga import Receipt
from shared.store.inbox import BEYOND_ALL, Mark, Seen

SET = 500


class Marking:
    """Marks and acknowledgements. `source` is the function that keeps them."""

    def __init__(self, resources: Resources, source: str) -> None:
        self._inbox, self._broker, self._source = resources.store.inbox, resources.broker, source
        self._seen: Coalescer[Seen, None] = Coalescer(self._note_seen, max_size=SET)

    async def close(self) -> None:
        """Finish what is being kept."""
        await self._seen.close()

    async def acknowledge(self, tenant: str, user_id: str, ids: Sequence[UUID]) -> None:
        """Note that a client has messages; those of many clients at once are one statement.

        Raises:
            Transient: nobody knows whether it is noted; a second time changes nothing.
        """
        results = await self._seen.submit_all([Seen(tenant, user_id, key) for key in ids])
        for failure in results:
            if failure is not None:
                raise failure

    async def mark(self, tenant: str, user_id: str, mark: Mark, ids: Sequence[UUID]) -> int:
        """Mark messages; return how many were not marked so before.

        What was read is noted as a receipt first: if this breaks off in between, the client asks again, and the saga
        knows already.

        Raises:
            Transient: nobody knows whether it is kept; a second time changes nothing.
        """
        if not ids:
            return 0
        if mark is Mark.READ:
            await self._note([Seen(tenant, user_id, key) for key in ids], Receipt.READ)
        changed = await self._inbox.mark(tenant, user_id, mark, ids)
        if changed:
            self._broker.hint(write_hint(tenant, user_id))
        return len(changed)

    async def read_all(self, tenant: str, user_id: str, until: int | None) -> int:
        """Mark everything that is neither read nor archived as read, up to a cursor, in sets; return how many it was.

        Without a cursor it is what is there now: what comes meanwhile stays unread.
        """
        if until is None:
            until = await self._inbox.last(tenant, user_id)
        count, until = 0, min(until, BEYOND_ALL)
        while ids := await self._inbox.unread_ids(tenant, user_id, until, SET):
            changed = await self.mark(tenant, user_id, Mark.READ, ids)
            count += changed
            if not changed:  # somebody else is at it
                break
        return count

    async def _note_seen(self, seen: Sequence[Seen]) -> Sequence[None]:
        await self._note(seen, Receipt.DELIVERED)
        return [None] * len(seen)

    async def _note(self, seen: Sequence[Seen], receipt: Receipt) -> None:
        tenants = {one.notification_id: one.tenant for one in seen}
        noted = await self._inbox.note(seen, receipt)
        messages = [outbox.receipt(self._source, outbox.About(key, tenants[key], epoch)) for key, epoch in noted]
        if messages:
            await self._broker.publish(messages)  # what is refused, the sweep folds
