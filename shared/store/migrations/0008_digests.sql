-- Digests: many events, one message. Each event is a notification with `digest_id`; one more, with `is_digest`, is sent.

ALTER TABLE notifications ADD COLUMN digest_id uuid;
ALTER TABLE notifications ADD COLUMN is_digest boolean NOT NULL DEFAULT false;

-- Without the status: with it in an index, no change of status of any notification would be a HOT update.
CREATE INDEX notifications_of_digest ON notifications (digest_id, id) WHERE digest_id IS NOT NULL;

-- A window of a key. `id` is the notification that carries it; `next_look_at` is when the sweep must close it, go on with
-- what it has begun, or tell its members how it ended.
CREATE TABLE digests (
    id           uuid PRIMARY KEY,
    tenant       text NOT NULL,
    key          uuid NOT NULL,
    phase        text NOT NULL DEFAULT 'collecting' CHECK (phase IN ('collecting', 'gathering', 'closed')),
    joined       integer NOT NULL,
    next_look_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX digests_open ON digests (key) WHERE phase = 'collecting';
CREATE INDEX digests_to_look_at ON digests (next_look_at) WHERE next_look_at IS NOT NULL;

-- Members have a table of their own, the same as in shared/statuses.py; for all others nothing changes.
CREATE FUNCTION refuse_member_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT OLD.status || '>' || NEW.status = ANY (ARRAY[
        'pending>scheduled',
        'scheduled>queued', 'scheduled>sent', 'scheduled>delivered', 'scheduled>failed', 'scheduled>cancelled',
        'scheduled>skipped', 'scheduled>expired', 'scheduled>unknown',
        'queued>sent', 'queued>delivered', 'queued>failed', 'queued>cancelled', 'queued>skipped', 'queued>expired',
        'queued>unknown',
        'sent>delivered', 'sent>failed', 'sent>cancelled', 'sent>skipped', 'sent>expired', 'sent>unknown',
        'failed>sent', 'failed>delivered', 'failed>cancelled', 'failed>skipped', 'failed>expired', 'failed>unknown',
        'unknown>sent', 'unknown>delivered', 'unknown>failed', 'unknown>cancelled', 'unknown>skipped',
        'unknown>expired',
        'skipped>sent', 'skipped>delivered',
        'expired>sent', 'expired>delivered'
    ]) THEN
        RAISE EXCEPTION 'notification % -> % in a digest', OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER notification_transition ON notifications;
CREATE TRIGGER notification_transition BEFORE UPDATE OF status ON notifications
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.digest_id IS NULL)
    EXECUTE FUNCTION refuse_notification_transition();
CREATE TRIGGER member_transition BEFORE UPDATE OF status ON notifications
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.digest_id IS NOT NULL)
    EXECUTE FUNCTION refuse_member_transition();
