-- The truth. Every row has its tenant; every hot query touches only what is not finished.

CREATE TABLE users (
    tenant     text NOT NULL,
    id         text NOT NULL,
    name       text NOT NULL DEFAULT '',
    email      text,
    phone      text,
    telegram   text,
    locale     text NOT NULL DEFAULT 'en',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);

CREATE TABLE preferences (
    tenant   text NOT NULL,
    user_id  text NOT NULL,
    category text NOT NULL,
    channel  text NOT NULL,
    enabled  boolean NOT NULL,
    PRIMARY KEY (tenant, user_id, category, channel)
);

CREATE TABLE suppressions (
    tenant     text NOT NULL,
    channel    text NOT NULL,
    address    text NOT NULL,
    reason     text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, channel, address)
);

CREATE TABLE workflows (
    tenant     text NOT NULL,
    event_type text NOT NULL,
    definition jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, event_type)
);

CREATE TABLE notifications (
    id             uuid PRIMARY KEY,
    tenant         text NOT NULL,
    user_id        text NOT NULL,
    event_type     text NOT NULL,
    source         text NOT NULL,
    body_hash      bytea NOT NULL,
    data           jsonb NOT NULL,
    preferred      text,
    event_time     timestamptz,
    correlation_id text,
    traceparent    text,
    status         text NOT NULL,
    reason         text NOT NULL DEFAULT '',
    version        integer NOT NULL DEFAULT 0,
    epoch          integer NOT NULL DEFAULT 0,
    plan           jsonb,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    send_at        timestamptz,
    expires_at     timestamptz NOT NULL,
    next_look_at   timestamptz,
    looks          smallint NOT NULL DEFAULT 0
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- What the sweep must look at. It moves only when the time does, so that a change of status stays a HOT update.
CREATE INDEX notifications_to_look_at ON notifications (next_look_at) WHERE next_look_at IS NOT NULL;

CREATE TABLE deliveries (
    notification_id uuid NOT NULL,
    channel         text NOT NULL,
    tenant          text NOT NULL,
    status          text NOT NULL,
    position        smallint NOT NULL,
    epoch           integer NOT NULL,
    attempt         integer NOT NULL DEFAULT 1,
    tries           integer NOT NULL DEFAULT 0,
    deferrals       integer NOT NULL DEFAULT 0,
    takeovers       integer NOT NULL DEFAULT 0,
    due_at          timestamptz,
    lease_until     timestamptz,
    claimed_at      timestamptz,
    token           uuid,
    outcome         text,
    deadline        timestamptz,
    content         jsonb NOT NULL,
    reason          text NOT NULL DEFAULT '',
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (notification_id, channel)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);

-- One row per call to a provider, found again by its claim's token. `ambiguous` stays true whatever is learnt later.
CREATE TABLE attempts (
    notification_id     uuid NOT NULL,
    token               uuid NOT NULL,
    tenant              text NOT NULL,
    channel             text NOT NULL,
    epoch               integer NOT NULL,
    attempt             integer NOT NULL,
    outcome             text NOT NULL,
    ambiguous           boolean NOT NULL,
    withheld            boolean NOT NULL DEFAULT false,
    code                text NOT NULL DEFAULT '',
    reason              text NOT NULL DEFAULT '',
    provider            text NOT NULL DEFAULT '',
    provider_message_id text,
    retry_after_seconds double precision,
    started_at          timestamptz NOT NULL,
    ended_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (notification_id, token)
);

CREATE TABLE receipts (
    notification_id uuid NOT NULL,
    channel         text NOT NULL,
    epoch           integer NOT NULL,
    receipt         text NOT NULL,
    tenant          text NOT NULL,
    reason          text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (notification_id, channel, epoch, receipt)
);

CREATE TABLE timeline (
    notification_id uuid NOT NULL,
    id              bigint GENERATED ALWAYS AS IDENTITY,
    at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    entries         jsonb NOT NULL,
    PRIMARY KEY (notification_id, id)
);

CREATE TABLE dead_letters (
    id              uuid PRIMARY KEY,
    tenant          text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('notification', 'unknown', 'garbage', 'internal')),
    status          text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'replayed', 'resolved', 'discarded')),
    notification_id uuid,
    epoch           integer NOT NULL DEFAULT 0,
    step            text NOT NULL DEFAULT '',
    reason          text NOT NULL,
    body            bytea,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at      timestamptz,
    settled_by      text
);
CREATE INDEX dead_letters_open ON dead_letters (tenant, created_at, id) WHERE status = 'open';
CREATE INDEX dead_letters_of_notification ON dead_letters (notification_id) WHERE notification_id IS NOT NULL;

CREATE TABLE breakers (
    tenant       text NOT NULL,
    provider     text NOT NULL,
    state        text NOT NULL CHECK (state IN ('closed', 'open', 'half_open')),
    failures     integer NOT NULL DEFAULT 0,
    opened_until timestamptz,
    probe_token  uuid,
    probe_until  timestamptz,
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, provider)
);

-- How often a step failed unexpectedly on one event. Poison is counted here, never by the broker.
CREATE TABLE step_failures (
    step       text NOT NULL,
    event_id   text NOT NULL,
    count      integer NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (step, event_id)
);

-- A cursor per user, moved under its row's lock: what is committed later has the higher number, so no gap is hidden.
CREATE TABLE inbox_cursors (
    tenant  text NOT NULL,
    user_id text NOT NULL,
    last    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, user_id)
);

CREATE TABLE inbox (
    tenant          text NOT NULL,
    user_id         text NOT NULL,
    cursor          bigint NOT NULL,
    notification_id uuid NOT NULL,
    epoch           integer NOT NULL,
    content         jsonb NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    acknowledged_at timestamptz,
    read_at         timestamptz,
    retracted_at    timestamptz,
    PRIMARY KEY (tenant, user_id, cursor)
);
CREATE UNIQUE INDEX inbox_once ON inbox (notification_id, epoch);

-- Figures that one process counts and others read: how much waits, when the sweep last ran.
CREATE TABLE gauges (
    name       text PRIMARY KEY,
    value      double precision NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Which status may follow which: the same tables as in shared/statuses.py.
CREATE FUNCTION refuse_notification_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT OLD.status || '>' || NEW.status = ANY (ARRAY[
        'scheduled>cancelled', 'scheduled>expired', 'scheduled>pending', 'pending>cancelled',
        'pending>compensating', 'pending>expired', 'pending>queued', 'pending>sent',
        'pending>skipped', 'queued>cancelled', 'queued>compensating', 'queued>delivered',
        'queued>expired', 'queued>sent', 'queued>skipped', 'queued>unknown',
        'sent>compensating', 'sent>delivered', 'sent>queued', 'compensating>cancelled',
        'compensating>failed', 'compensating>sent', 'failed>pending', 'failed>sent',
        'expired>sent', 'unknown>pending', 'unknown>sent'
    ]) THEN
        RAISE EXCEPTION 'notification % -> %', OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER notification_transition BEFORE UPDATE OF status ON notifications
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION refuse_notification_transition();

CREATE FUNCTION refuse_delivery_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT OLD.status || '>' || NEW.status = ANY (ARRAY[
        'queued>cancelled', 'queued>deferred', 'queued>failed', 'queued>sending',
        'queued>sent', 'sending>cancelled', 'sending>deferred', 'sending>delivered',
        'sending>failed', 'sending>queued', 'sending>read', 'sending>retrying',
        'sending>sent', 'sending>unknown', 'retrying>cancelled', 'retrying>deferred',
        'retrying>failed', 'retrying>sending', 'retrying>sent', 'deferred>cancelled',
        'deferred>failed', 'deferred>sending', 'deferred>sent', 'sent>delivered',
        'sent>failed', 'sent>queued', 'sent>read', 'sent>retracted',
        'delivered>read', 'delivered>retracted', 'read>retracted', 'failed>queued',
        'failed>sent', 'cancelled>queued', 'cancelled>sent', 'unknown>delivered',
        'unknown>queued', 'unknown>read', 'unknown>sent', 'retracted>queued'
    ]) THEN
        RAISE EXCEPTION 'delivery % -> %', OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER delivery_transition BEFORE UPDATE OF status ON deliveries
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION refuse_delivery_transition();
