-- The inbox as people use it: read and unread, archived, counted, and the same on every screen.

-- `change` is the number that the last change of a row's marks has: who was away asks for what came after a number, as
-- it asks for items after a cursor. Null: never marked, as nearly every row is.
ALTER TABLE inbox ADD COLUMN archived_at timestamptz, ADD COLUMN change bigint;

-- The highest of these numbers, moved under its row's lock as `last` is. Putting an item does not touch it.
ALTER TABLE inbox_cursors ADD COLUMN changes bigint NOT NULL DEFAULT 0;

-- What the badge counts. A person who reads keeps it small; the two others hold only what was marked.
CREATE INDEX inbox_unread ON inbox (tenant, user_id, cursor)
    WHERE read_at IS NULL AND archived_at IS NULL AND retracted_at IS NULL;
CREATE INDEX inbox_changed ON inbox (tenant, user_id, change) WHERE change IS NOT NULL;
CREATE INDEX inbox_archived ON inbox (tenant, user_id, cursor) WHERE archived_at IS NOT NULL;
