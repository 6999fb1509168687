"""Close the windows of digests, let the digests go, and tell their members how they ended; in bounded sets.

A digest that is looked at is due again in half a minute, so whatever is lost here is done again; and everything is
decided by where the members stand, so done again it changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from uuid import UUID

from functions.sweep.publishing import SOURCE, publish
from shared.digests import content_of
from shared.errors import Transient
from shared.outbox import messages
from shared.runtime import Resources
from shared.saga import Closed, Gathered, decide, owed
from shared.statuses import MEMBER_TRANSITIONS, TERMINAL, NotificationStatus
from shared.store.changes import Change
from shared.store.digests import DueDigest, Phase
from shared.store.sagas import SagaSet
from shared.telling import tell

LARGEST_SET = 1_000
MOST_SETS = 20
"""So many sets of one batch in a tick; what is left is due at once again."""

BEFORE_ALL = UUID(int=0)
WAITING = (NotificationStatus.SCHEDULED,)
FOLLOWING = tuple(
    status for status, then in MEMBER_TRANSITIONS.items() if then and status is not NotificationStatus.PENDING
)

Fold = Callable[[SagaSet, Mapping[UUID, Change]], Awaitable[None]]

log = logging.getLogger(__name__)


async def look_at_digests(resources: Resources) -> None:
    """Look at the digests that are due, until a set is not full."""
    for _ in range(MOST_SETS):
        due = await resources.store.digests.due(LARGEST_SET)
        for phase in Phase:
            for batch in batches([digest for digest in due if digest.phase is phase]):
                await _look_safely(resources, batch)
        if len(due) < LARGEST_SET:
            return


def batches(due: Sequence[DueDigest]) -> list[list[DueDigest]]:
    """Put digests together that have a set of members between them; a larger one is alone."""
    found: list[list[DueDigest]] = []
    size = LARGEST_SET
    for digest in due:
        size += digest.joined
        if size > LARGEST_SET:
            found.append([])
            size = digest.joined
        found[-1].append(digest)
    return found


async def _look_safely(resources: Resources, batch: Sequence[DueDigest]) -> None:
    """Look at a batch; if it fails unexpectedly, at one digest after the other. One that fails is due again later."""
    try:
        await _look(resources, batch)
    except Transient:
        raise
    except Exception as failure:
        log.error("digests cannot be looked at", exc_info=failure, extra={"digest_id": str(batch[0].id)})
        for digest in batch if len(batch) > 1 else ():
            await _look_safely(resources, [digest])


async def _look(resources: Resources, batch: Sequence[DueDigest]) -> None:
    ids = [digest.id for digest in batch]
    if batch[0].phase is Phase.GATHERING:
        is_done = await _for_members(resources, ids, WAITING, _gather)
        if is_done:
            await _let_go(resources, ids)
    else:
        is_done = await _for_members(resources, ids, FOLLOWING, _tell)
    await resources.store.digests.settle(batch, is_done=is_done)


async def _for_members(
    resources: Resources, digests: Sequence[UUID], statuses: Sequence[NotificationStatus], fold: Fold
) -> bool:
    """Fold something into the members of digests, a set in each transaction; return whether that was all of them."""
    after = BEFORE_ALL
    for _ in range(MOST_SETS):
        async with resources.store.sagas.transaction() as sagas:
            ids = await sagas.members(statuses, after, LARGEST_SET, digests)
            changes = await sagas.lock(ids)
            if changes:
                await fold(sagas, changes)
                await sagas.save(list(changes.values()))
        tell(resources.metrics, changes.values(), sagas.now)
        if len(ids) < LARGEST_SET:
            return True
        after = ids[-1]
    return False


async def _gather(sagas: SagaSet, changes: Mapping[UUID, Change]) -> None:
    """Bind members to their message, all but those that a newer notification has replaced."""
    replaced: Set[UUID] = await sagas.superseded(list(changes))
    for key, change in changes.items():
        change.take(decide(change.before, Gathered(key in replaced), sagas.now))


async def _tell(sagas: SagaSet, changes: Mapping[UUID, Change]) -> None:
    """Let members end as their digests have; read after they are locked, so that the last to tell knows the last."""
    digests = {change.before.digest_id for change in changes.values() if change.before.digest_id}
    standing = await sagas.standings(sorted(digests))
    for change in changes.values():
        followed = standing.get(change.before.digest_id) if change.before.digest_id else None
        if followed is not None and followed.status in TERMINAL:
            change.take(decide(change.before, followed, sagas.now))


async def _let_go(resources: Resources, digests: Sequence[UUID]) -> None:
    """Write down what is in digests whose members are all gathered, and have them routed."""
    async with resources.store.sagas.transaction() as sagas:
        changes = await sagas.lock(digests)
        waiting = [key for key, change in changes.items() if change.before.status is NotificationStatus.SCHEDULED]
        found = await sagas.contents(waiting) if waiting else {}
        for key, (count, _) in found.items():
            changes[key].take(decide(changes[key].before, Closed(count), sagas.now))
        if found:
            await sagas.fill({key: content_of(count, first) for key, (count, first) in found.items()})
        await sagas.save(list(changes.values()))
    tell(resources.metrics, changes.values(), sagas.now)
    outgoing = []
    for change in changes.values():
        outgoing += messages(SOURCE, change.after, owed(change.after, sagas.now), sagas.now)
    await publish(resources, outgoing)
