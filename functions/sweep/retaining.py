"""Delete what has ended and was kept long enough; a bounded part of it in each tick, after everything else."""

from __future__ import annotations

import logging

from shared.errors import Transient
from shared.runtime import Resources

MOST_SETS = 50
MOST_NOTIFICATIONS = 10_000
"""So many are looked at in a tick, in so many transactions: a tick takes seconds at most."""

log = logging.getLogger(__name__)


async def delete_ended(resources: Resources) -> None:
    """Go on with the round of retention, if there is one; a failure is the next tick's, and holds up nothing."""
    days, left = resources.settings.retention_days, MOST_NOTIFICATIONS
    if not days:
        return
    try:
        for _ in range(MOST_SETS):
            progress = await resources.store.retention.go_on(days)
            resources.metrics.retention_deleted.inc(progress.deleted)
            left -= progress.looked_at
            if left <= 0 or not progress.may_go_on:
                return
    except Transient:
        raise
    except Exception as failure:
        log.error("what has ended cannot be deleted", exc_info=failure)
