-- Retention: what has ended is deleted when it was kept long enough, a round after the other (docs/decisions/0043).

-- How far the round has come: through the index by tenant and time. `ends_before` is what the round deletes; null between
-- two rounds. Without `after_tenant` it has not come to the notifications yet.
CREATE TABLE retention (
    is_only      boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    began_at     timestamptz,
    ends_before  timestamptz,
    after_tenant text,
    after_at     timestamptz,
    after_id     uuid
);
INSERT INTO retention DEFAULT VALUES;

-- Of tables that are small, and written rarely. Notifications need none: they are found by `notifications_by_time`.
CREATE INDEX fan_outs_expanded ON fan_outs (created_at) WHERE completed_at IS NOT NULL;
CREATE INDEX dead_letters_settled ON dead_letters (settled_at) WHERE notification_id IS NULL AND settled_at IS NOT NULL;
CREATE INDEX step_failures_by_time ON step_failures (updated_at);

-- A fifth of ten million rows is long to wait for: room that was freed is used again when vacuum has come by. Without
-- retention nothing is deleted there, and this changes nothing.
ALTER TABLE attempts SET (autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE timeline SET (autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE receipts SET (autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE inbox SET (autovacuum_vacuum_scale_factor = 0.05);
