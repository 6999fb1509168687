"""Pieces of the statements that write sagas: the same under locks and without them."""

from __future__ import annotations

_CHANGED = """
    UPDATE notifications n
    SET status = s.status, reason = s.reason, epoch = s.epoch, version = n.version + 1, expires_at = s.expires_at,
        plan = COALESCE(s.plan, n.plan), cancelled_by = s.cancelled_by, updated_at = clock_timestamp(),
        next_look_at = s.next_look_at, looks = s.looks
    FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::int[], %b::timestamptz[], %b::jsonb[], %b::timestamptz[],
                %b::smallint[], %b::text[]{more})
         AS s(id, status, reason, epoch, expires_at, plan, next_look_at, looks, cancelled_by{names})
    WHERE n.id = s.id"""
CHANGED = _CHANGED.format(more="", names="")
CHANGED_IF_SEEN = _CHANGED.format(more=", %b::text[]", names=", seen") + " AND n.xmin = s.seen::xid"
"""Only where the row is the one that was read: its `xmin` is the transaction that wrote it."""

TOLD = """
    INSERT INTO timeline (notification_id, entries) SELECT * FROM unnest(%b::uuid[], %b::jsonb[])
"""
DELIVERY_LIST = """notification_id, channel, tenant, status, position, epoch, attempt, tries, deferrals, takeovers,
                             due_at, lease_until, outcome, deadline, content, reason"""
DELIVERY_VALUES = """%b::uuid[], %b::text[], %b::text[], %b::text[], %b::smallint[], %b::int[], %b::int[], %b::int[],
                     %b::int[], %b::int[], %b::timestamptz[], %b::timestamptz[], %b::text[], %b::timestamptz[],
                     %b::jsonb[], %b::text[]"""
