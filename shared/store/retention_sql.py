"""The statements of retention: what is old enough is found by its time, locked, and deleted if nothing needs it.

Children are deleted in the order in which erasure, claims and outcomes lock them: deliveries first, then attempts.
"""

from __future__ import annotations

from shared.statuses import TERMINAL

_ENDED = ", ".join(f"'{status}'" for status in sorted(TERMINAL))

LOOK = """
SELECT created_at, id FROM notifications
WHERE tenant = %(tenant)b AND (created_at, id) > (%(at)b, %(id)b) AND created_at < %(before)b
ORDER BY created_at, id LIMIT %(limit)b
"""
"""What was accepted before a time, from a place on, whatever it has come to: read in the index alone."""

NEXT_TENANT = "SELECT tenant FROM notifications WHERE tenant > %b ORDER BY tenant LIMIT 1"

LOCK = f"""
SELECT id FROM notifications
WHERE id = ANY(%b) AND status IN ({_ENDED}) AND next_look_at IS NULL AND updated_at < %b
ORDER BY id FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - constants of ours
"""What has ended before a time, is owed nothing, and is in nobody's hands."""

UNNEEDED = """
SELECT n.id, n.digest_id FROM notifications n
WHERE n.id = ANY(%b)
  AND NOT EXISTS (SELECT FROM dead_letters l
                  WHERE l.notification_id IN (n.id, n.digest_id) AND l.status = 'open')
  AND NOT EXISTS (SELECT FROM attempts a WHERE a.notification_id = n.id AND a.next_look_at IS NOT NULL)
  AND NOT EXISTS (SELECT FROM digests d WHERE d.id IN (n.id, n.digest_id) AND d.next_look_at IS NOT NULL)
  AND NOT EXISTS (SELECT FROM notifications c WHERE c.id = n.digest_id AND c.next_look_at IS NOT NULL)
  AND NOT (n.is_digest AND EXISTS (SELECT FROM notifications m WHERE m.digest_id = n.id))
  AND NOT (n.collapse_key IS NOT NULL AND EXISTS (
      SELECT FROM notifications o
      WHERE o.tenant = n.tenant AND o.user_id = n.user_id AND o.collapse_key = n.collapse_key
        AND o.created_at < n.created_at
        AND (o.next_look_at IS NOT NULL OR EXISTS (
            SELECT FROM dead_letters l WHERE l.notification_id = o.id AND l.status = 'open'))))
ORDER BY n.id
"""
"""Asked when they are locked, in a statement of its own: what hangs on them is seen as it is after the lock.

Needed are: what waits for a person, itself or with its digest; a success that nobody knows of yet; members of a digest
that is under way, or has something to tell them; a digest, as long as it has members; and what has taken the place of
an older one that could still be sent.
"""

HANGING = ("deliveries", "attempts", "receipts", "timeline", "dead_letters", "contact_places", "inbox", "undoings")
"""Every table that has a `notification_id`; a test looks for those that are missing."""

DELETE = (
    *(f"DELETE FROM {table} WHERE notification_id = ANY(%b)" for table in HANGING),  # noqa: S608
    "DELETE FROM digests WHERE id = ANY(%b)",
    "DELETE FROM notifications WHERE id = ANY(%b)",
)

_LOOSE = """
DELETE FROM {table} WHERE ctid = ANY (ARRAY(
    SELECT t.ctid FROM {table} t WHERE {which} LIMIT %(limit)b FOR UPDATE SKIP LOCKED))
"""
DELETE_LOOSE = tuple(
    _LOOSE.format(table=table, which=which)
    for table, which in (
        ("fan_outs", "t.completed_at IS NOT NULL AND t.created_at < %(before)b ORDER BY t.created_at"),
        (
            "dead_letters",
            """t.notification_id IS NULL AND t.settled_at IS NOT NULL AND t.settled_at < %(before)b
               ORDER BY t.settled_at""",
        ),
        ("step_failures", "t.updated_at < %(before)b ORDER BY t.updated_at"),
    )
)
"""What hangs on no notification. Events for many users go before their notifications: a copy of their message finds
nothing then, and cannot make anew what is deleted.
"""

TAKE = """
SELECT clock_timestamp(), began_at, ends_before, after_tenant, after_at, after_id FROM retention FOR UPDATE SKIP LOCKED
"""
MOVE = """
UPDATE retention SET began_at = %b, ends_before = %b, after_tenant = %b, after_at = %b, after_id = %b
"""
