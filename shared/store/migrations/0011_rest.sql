-- What a compensation asks of providers, what it writes to the person when nothing can be taken back, and START.

-- One row per channel of a notification that is being compensated: how often its provider was asked to take it back,
-- and what it said last. It is counted before the call, so that a crash cannot make the tries endless.
CREATE TABLE undoings (
    notification_id uuid NOT NULL,
    channel         text NOT NULL,
    epoch           integer NOT NULL,
    tenant          text NOT NULL,
    tries           integer NOT NULL DEFAULT 1,
    outcome         text,
    code            text NOT NULL DEFAULT '',
    reason          text NOT NULL DEFAULT '',
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (notification_id, channel, epoch)
);

-- The workflow of one notification alone, where it is not its event type's: a correction goes out on one channel.
ALTER TABLE notifications ADD COLUMN own_workflow jsonb;

-- A person who says START is looked for by their number: the carrier knows no tenants.
CREATE INDEX suppressions_of_address ON suppressions (channel, address);
