-- Cancellation, and lists of notifications that cost the same whatever there is.

-- Who called it back. It is set while a call is under way, or what was sent is taken back, and stays.
ALTER TABLE notifications ADD COLUMN cancelled_by text;

-- A list goes backwards through one of these from where the page before ended. They are on what never changes, so that
-- a change of status stays a HOT update.
CREATE INDEX notifications_by_time ON notifications (tenant, created_at, id);
CREATE INDEX notifications_of_user ON notifications (tenant, user_id, created_at, id);
CREATE INDEX notifications_that_correlate ON notifications (tenant, correlation_id, created_at, id)
    WHERE correlation_id IS NOT NULL;

-- cancelled>compensating is new: it was sent after all, and is taken back.
CREATE OR REPLACE FUNCTION refuse_notification_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT OLD.status || '>' || NEW.status = ANY (ARRAY[
        'scheduled>cancelled', 'scheduled>expired', 'scheduled>pending', 'pending>cancelled',
        'pending>compensating', 'pending>expired', 'pending>queued', 'pending>sent',
        'pending>skipped', 'queued>cancelled', 'queued>compensating', 'queued>delivered',
        'queued>expired', 'queued>sent', 'queued>skipped', 'queued>unknown',
        'sent>compensating', 'sent>delivered', 'sent>queued', 'compensating>cancelled',
        'compensating>failed', 'compensating>sent', 'cancelled>compensating', 'failed>pending',
        'failed>sent', 'skipped>sent', 'expired>sent', 'unknown>pending', 'unknown>sent'
    ]) THEN
        RAISE EXCEPTION 'notification % -> %', OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
