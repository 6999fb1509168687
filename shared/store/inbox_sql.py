"""The statements of the inbox. What moves a number of a person does so under the lock of that person's one row."""

from __future__ import annotations

from shared.store.inbox_items import Mark, Shelf

MOST_COUNTED = 1_000
"""A badge counts no further: what waits there is read by nobody one by one."""
MOST_ITEMS = 100
MOST_CHANGES = 200
MOST_BYTES = 262_144
"""Of one person at one look: so many bytes of content as they are stored, and the item with which they are reached."""

_ITEM = "cursor, notification_id, epoch, content, created_at, acknowledged_at, read_at, archived_at"
_UNREAD = "read_at IS NULL AND archived_at IS NULL AND retracted_at IS NULL"

PUT = """
WITH new AS (
    SELECT * FROM unnest(%b::text[], %b::text[], %b::uuid[], %b::int[], %b::jsonb[])
        AS n(tenant, user_id, notification_id, epoch, content)
    WHERE NOT EXISTS (SELECT FROM inbox i WHERE i.notification_id = n.notification_id AND i.epoch = n.epoch)
), moved AS (
    INSERT INTO inbox_cursors AS c (tenant, user_id, last)
    SELECT tenant, user_id, count(*) FROM new GROUP BY tenant, user_id ORDER BY tenant, user_id
    ON CONFLICT (tenant, user_id) DO UPDATE SET last = c.last + EXCLUDED.last
    RETURNING tenant, user_id, last
)
INSERT INTO inbox (tenant, user_id, cursor, notification_id, epoch, content)
SELECT tenant, user_id,
       moved.last - count(*) OVER of_user + row_number() OVER (of_user ORDER BY notification_id),
       notification_id, epoch, content
FROM new JOIN moved USING (tenant, user_id) WINDOW of_user AS (PARTITION BY tenant, user_id)
ON CONFLICT (notification_id, epoch) DO NOTHING
"""
SINCE = f"""
SELECT {_ITEM} FROM inbox
WHERE tenant = %s AND user_id = %s AND cursor > %s AND retracted_at IS NULL ORDER BY cursor LIMIT %s
"""  # noqa: S608 - constants of ours, here and below
LAST = "SELECT last FROM inbox_cursors WHERE tenant = %s AND user_id = %s"
NEWS = f"""
SELECT w.place, COALESCE(c.last, 0), COALESCE(c.changes, 0), u.unread,
       CASE WHEN i.number IS NULL OR i.number = 1 THEN m.marks END, i.found,
       i.cursor, i.notification_id, i.epoch, i.content, i.created_at, i.acknowledged_at, i.read_at, i.archived_at
FROM unnest(%(tenants)b::text[], %(users)b::text[], %(cursors)b::bigint[], %(changes)b::bigint[])
     WITH ORDINALITY AS w(tenant, user_id, cursor, change, place)
LEFT JOIN inbox_cursors c ON c.tenant = w.tenant AND c.user_id = w.user_id
CROSS JOIN LATERAL (
    SELECT count(*) AS unread FROM (
        SELECT FROM inbox n WHERE n.tenant = w.tenant AND n.user_id = w.user_id AND {_UNREAD} LIMIT {MOST_COUNTED}) n
) u
CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_array(n.notification_id, n.change, n.read_at IS NOT NULL, n.archived_at IS NOT NULL,
                                       n.retracted_at IS NOT NULL) ORDER BY n.change) AS marks
    FROM (SELECT * FROM inbox n
          WHERE n.tenant = w.tenant AND n.user_id = w.user_id AND n.change > COALESCE(w.change, c.changes, 0)
          ORDER BY n.change LIMIT {MOST_CHANGES}) n
) m
LEFT JOIN LATERAL (
    SELECT n.*, row_number() OVER (ORDER BY n.cursor) AS number, count(*) OVER () AS found,
           sum(pg_column_size(n.content)) OVER (ORDER BY n.cursor) - pg_column_size(n.content) AS bytes_before
    FROM (SELECT * FROM inbox n
          WHERE n.tenant = w.tenant AND n.user_id = w.user_id AND n.cursor > COALESCE(w.cursor, c.last, 0)
            AND n.retracted_at IS NULL
          ORDER BY n.cursor LIMIT %(items)b) n
) i ON i.bytes_before < {MOST_BYTES}
ORDER BY w.place, i.cursor
"""  # noqa: S608
"""One moment's view of many inboxes. Of what is stored out of line only the rows that are sent are ever fetched."""
BEHIND = """
SELECT c.tenant, c.user_id FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::bigint[])
    AS w(tenant, user_id, cursor, change)
JOIN inbox_cursors c ON c.tenant = w.tenant AND c.user_id = w.user_id
WHERE c.last > w.cursor OR c.changes > w.change
"""
NOTE = """
WITH acknowledged AS (
    UPDATE inbox i SET acknowledged_at = COALESCE(i.acknowledged_at, clock_timestamp())
    FROM unnest(%b::text[], %b::text[], %b::uuid[]) AS s(tenant, user_id, notification_id)
    WHERE i.notification_id = s.notification_id AND i.tenant = s.tenant AND i.user_id = s.user_id
    RETURNING i.tenant, i.notification_id, i.epoch
), kept AS (
    INSERT INTO receipts (notification_id, channel, epoch, receipt, tenant, reason)
    SELECT notification_id, 'websocket', epoch, %b::text, tenant, %b::text
    FROM acknowledged ON CONFLICT DO NOTHING RETURNING notification_id, epoch
)
UPDATE notifications n SET looks = 0, next_look_at = clock_timestamp() + interval '15 seconds'
FROM kept WHERE n.id = kept.notification_id RETURNING n.id, kept.epoch
"""

_MARK = """
WITH wanted AS (
    SELECT cursor FROM inbox
    WHERE tenant = %(tenant)s AND user_id = %(user)s AND notification_id = ANY(%(ids)s)
      AND retracted_at IS NULL AND {is_other}
), moved AS (
    UPDATE inbox_cursors SET changes = changes + (SELECT count(*) FROM wanted)
    WHERE tenant = %(tenant)s AND user_id = %(user)s AND EXISTS (SELECT FROM wanted)
    RETURNING changes
), numbered AS (
    SELECT cursor, changes - count(*) OVER () + row_number() OVER (ORDER BY cursor) AS change FROM wanted, moved
)
UPDATE inbox i SET {sets}, change = n.change FROM numbered n
WHERE i.tenant = %(tenant)s AND i.user_id = %(user)s AND i.cursor = n.cursor AND i.retracted_at IS NULL AND i.{is_other}
RETURNING i.notification_id
"""
MARK = {
    mark: _MARK.format(is_other=is_other, sets=sets)
    for mark, is_other, sets in (
        (Mark.READ, "read_at IS NULL", "read_at = clock_timestamp()"),
        (Mark.UNREAD, "read_at IS NOT NULL", "read_at = NULL"),
        (Mark.ARCHIVE, "archived_at IS NULL", "archived_at = clock_timestamp()"),
        (Mark.UNARCHIVE, "archived_at IS NOT NULL", "archived_at = NULL"),
    )
}
"""What is marked so already keeps its number: a second time tells nobody anything."""
UNREAD_IDS = f"""
SELECT notification_id FROM inbox
WHERE tenant = %s AND user_id = %s AND cursor <= %s AND {_UNREAD} ORDER BY cursor LIMIT %s
"""  # noqa: S608

_PAGE = """
SELECT {item} FROM inbox
WHERE tenant = %s AND user_id = %s AND cursor < %s AND retracted_at IS NULL AND {is_there}
ORDER BY cursor DESC LIMIT %s
"""
PAGE = {
    shelf: _PAGE.format(item=_ITEM, is_there=is_there)
    for shelf, is_there in (
        (Shelf.UNREAD, _UNREAD),
        (Shelf.ALL, "archived_at IS NULL"),
        (Shelf.ARCHIVED, "archived_at IS NOT NULL"),
    )
}
RETRACT = """
WITH gone AS (
    SELECT tenant, user_id, cursor FROM inbox WHERE notification_id = ANY(%b) AND retracted_at IS NULL
), moved AS (
    INSERT INTO inbox_cursors AS c (tenant, user_id, changes)
    SELECT tenant, user_id, count(*) FROM gone GROUP BY tenant, user_id ORDER BY tenant, user_id
    ON CONFLICT (tenant, user_id) DO UPDATE SET changes = c.changes + EXCLUDED.changes
    RETURNING tenant, user_id, changes
), numbered AS (
    SELECT tenant, user_id, cursor,
           changes - count(*) OVER of_user + row_number() OVER (of_user ORDER BY cursor) AS change
    FROM gone JOIN moved USING (tenant, user_id) WINDOW of_user AS (PARTITION BY tenant, user_id)
)
UPDATE inbox i SET retracted_at = clock_timestamp(), change = n.change FROM numbered n
WHERE i.tenant = n.tenant AND i.user_id = n.user_id AND i.cursor = n.cursor AND i.retracted_at IS NULL
RETURNING i.notification_id
"""
