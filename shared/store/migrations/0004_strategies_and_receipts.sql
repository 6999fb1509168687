-- An event's own expiry, receipts that take a success back, and a late success of what was skipped.

-- Whether the event said itself when it expires; else its workflow may, when it is routed.
ALTER TABLE notifications ADD COLUMN has_own_expiry boolean NOT NULL DEFAULT false;

-- Whether a receipt says that something did not arrive: whoever folds a success then reads the receipts with it.
ALTER TABLE notifications ADD COLUMN has_bounced boolean NOT NULL DEFAULT false;

-- skipped>sent is new: a replay that nobody wanted, and an attempt before it that was taken after all.
CREATE OR REPLACE FUNCTION refuse_notification_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT OLD.status || '>' || NEW.status = ANY (ARRAY[
        'scheduled>cancelled', 'scheduled>expired', 'scheduled>pending', 'pending>cancelled',
        'pending>compensating', 'pending>expired', 'pending>queued', 'pending>sent',
        'pending>skipped', 'queued>cancelled', 'queued>compensating', 'queued>delivered',
        'queued>expired', 'queued>sent', 'queued>skipped', 'queued>unknown',
        'sent>compensating', 'sent>delivered', 'sent>queued', 'compensating>cancelled',
        'compensating>failed', 'compensating>sent', 'failed>pending', 'failed>sent',
        'skipped>sent', 'expired>sent', 'unknown>pending', 'unknown>sent'
    ]) THEN
        RAISE EXCEPTION 'notification % -> %', OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
