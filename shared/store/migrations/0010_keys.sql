-- API keys that a tenant makes for itself. A key is shown once; only its SHA-256 is kept.

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    tenant       text NOT NULL,
    hash         bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    name         text NOT NULL,
    scopes       text[] NOT NULL CHECK (cardinality(scopes) > 0),
    rate_limit   text,                        -- 100/s, or off; null: the installation's own
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by   text NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,                 -- to the minute
    replaced_by  uuid REFERENCES api_keys     -- rotated: it ends with its grace
);

CREATE INDEX api_keys_of_tenant ON api_keys (tenant, created_at, id);
