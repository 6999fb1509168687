-- Devices for push, why a provider was chosen, and what supersedes what.

-- A device belongs to the provider that gave its token. `registered_at` moves with every registration: what is deleted
-- is the registration that was used, never a newer one.
CREATE TABLE devices (
    tenant        text NOT NULL,
    provider      text NOT NULL CHECK (provider IN ('fcm', 'onesignal')),
    token         text NOT NULL,
    user_id       text NOT NULL,
    platform      text NOT NULL DEFAULT '',
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, provider, token)
);
CREATE INDEX devices_of_user ON devices (tenant, user_id);

-- Why an attempt did not go to the provider that comes first; empty when it did.
ALTER TABLE attempts ADD COLUMN choice text NOT NULL DEFAULT '';

-- A newer notification with the same key takes the place of an older one that nobody has sent yet.
ALTER TABLE notifications ADD COLUMN collapse_key text;
CREATE INDEX notifications_that_collapse ON notifications (tenant, user_id, collapse_key, created_at)
    WHERE collapse_key IS NOT NULL;

-- Secrets that the installation makes for itself and all its processes share: the first to ask writes it.
CREATE TABLE secrets (
    name       text PRIMARY KEY,
    value      bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
