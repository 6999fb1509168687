"""The statements of erasure. Each takes a set of notifications by their ids, and leaves of them what counts."""

from __future__ import annotations

from shared.saga.occurrences import ERASED

NOTIFICATIONS = f"""
UPDATE notifications
SET user_id = %(alias)s, data = '{{}}', source = '', body_hash = '', correlation_id = NULL, traceparent = NULL,
    collapse_key = NULL, reason = CASE WHEN reason = '' THEN '' ELSE '{ERASED}' END, erased_at = clock_timestamp()
WHERE id = ANY(%(ids)s)
"""  # noqa: S608 - a constant of ours
LEFTOVERS = (
    f"UPDATE deliveries SET content = '{{}}', reason = '{ERASED}' WHERE notification_id = ANY(%(ids)s)",  # noqa: S608
    """UPDATE attempts SET code = '', reason = '', choice = '', provider_message_id = NULL
       WHERE notification_id = ANY(%(ids)s)""",
    "UPDATE receipts SET reason = '' WHERE notification_id = ANY(%(ids)s)",
    f"""UPDATE timeline t SET entries = COALESCE((
            SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                'what', e->'what', 'why', '{ERASED}', 'channel', e->'channel')))
            FROM jsonb_array_elements(t.entries) e), '[]')
        WHERE t.notification_id = ANY(%(ids)s)""",  # noqa: S608
    f"""UPDATE dead_letters
        SET reason = '{ERASED}', body = NULL, settled_reason = NULL,
            settled_at = COALESCE(settled_at, clock_timestamp()),
            settled_by = COALESCE(settled_by, 'erasure'),
            status = CASE WHEN status = 'open' THEN 'discarded' ELSE status END
        WHERE notification_id = ANY(%(ids)s)""",  # noqa: S608
    "DELETE FROM contact_places WHERE notification_id = ANY(%(ids)s)",
    "DELETE FROM inbox WHERE notification_id = ANY(%(ids)s)",
)
"""What hangs on notifications: statuses, times, channels and outcomes stay, every text goes."""

BYTES = f"""
WITH looked AS MATERIALIZED (
    SELECT d.id, d.body FROM dead_letters d
    WHERE d.body IS NOT NULL AND d.id > %(after)s AND d.tenant = ANY(%(tenants)s)
    ORDER BY d.id LIMIT %(limit)s FOR UPDATE
), forgotten AS (
    UPDATE dead_letters d
    SET body = NULL, reason = '{ERASED}', settled_reason = NULL, settled_at = COALESCE(settled_at, clock_timestamp()),
        settled_by = COALESCE(settled_by, 'erasure'),
        status = CASE WHEN status = 'open' THEN 'discarded' ELSE status END
    FROM looked l
    WHERE d.id = l.id AND EXISTS (
        SELECT FROM unnest(%(needles)s::text[]) n WHERE position(convert_to(n, 'UTF8') IN l.body) > 0)
)
SELECT id FROM looked ORDER BY id DESC LIMIT 1
"""  # noqa: S608
"""Looks through the bytes of dead letters, a set at a time; returns how far it has come, nothing at the end."""

HASH_SUPPRESSIONS = """
WITH mine AS (
    SELECT a.channel, a.address
    FROM users u, LATERAL (VALUES ('email', u.email), ('sms', u.phone), ('whatsapp', COALESCE(u.whatsapp, u.phone)),
                                  ('telegram', u.telegram)) AS a(channel, address)
    WHERE u.tenant = %(tenant)s AND u.id = %(user)s AND a.address IS NOT NULL
      AND NOT EXISTS (SELECT FROM users o WHERE o.tenant = u.tenant AND o.email = a.address AND o.id <> u.id)
      AND NOT EXISTS (SELECT FROM users o WHERE o.tenant = u.tenant AND o.phone = a.address AND o.id <> u.id)
      AND NOT EXISTS (SELECT FROM users o WHERE o.tenant = u.tenant AND o.whatsapp = a.address AND o.id <> u.id)
      AND NOT EXISTS (SELECT FROM users o WHERE o.tenant = u.tenant AND o.telegram = a.address AND o.id <> u.id)
), gone AS (
    DELETE FROM suppressions s USING mine m
    WHERE s.tenant = %(tenant)s AND s.channel = m.channel AND s.address = m.address
    RETURNING s.tenant, s.channel, s.address, s.created_at
)
INSERT INTO suppressed_hashes (tenant, channel, hash, reason, created_at)
SELECT tenant, channel, hash_of_address(tenant, channel, address), 'suppressed before an erasure', created_at FROM gone
ON CONFLICT DO NOTHING
"""
"""What somebody else has as an address, too, stays: it is theirs."""

FORGET_INBOX = (
    "SELECT FROM inbox_cursors WHERE tenant = %(tenant)s AND user_id = %(user)s FOR UPDATE",
    """DELETE FROM inbox_cursors c WHERE c.tenant = %(tenant)s AND c.user_id = %(user)s
       AND NOT EXISTS (SELECT FROM inbox i WHERE i.tenant = c.tenant AND i.user_id = c.user_id)""",
)
"""At the very end, one after the other: as long as there are items, a count that began anew would meet their cursors.
What is there then came later, and is somebody's who is known by that id again.
"""

FORGET_PERSON = (
    "DELETE FROM devices WHERE tenant = %(tenant)s AND user_id = %(user)s",
    "DELETE FROM preferences WHERE tenant = %(tenant)s AND user_id = %(user)s",
    "DELETE FROM contact_counters WHERE tenant = %(tenant)s AND user_id = %(user)s",
    """UPDATE fan_outs SET user_ids = array_replace(user_ids, %(user)s, %(alias)s)
       WHERE tenant = %(tenant)s AND %(user)s = ANY(user_ids)""",
    "DELETE FROM users WHERE tenant = %(tenant)s AND id = %(user)s",
)
