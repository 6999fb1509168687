-- Notifications to an address, at a time, with wishes of their own; and one event for many users.

-- What a request asks for itself, beyond what its workflow says: channel, template, on_ambiguous, priority. NULL for most.
ALTER TABLE notifications ADD COLUMN wishes jsonb;

-- Whom Carillon made for an address that a request named, and the device where that address is one.
ALTER TABLE users ADD COLUMN is_made boolean NOT NULL DEFAULT false;
ALTER TABLE users ADD COLUMN device text;

-- One event for many users, kept whole before the answer, and expanded a bounded set at a time. `event` is text: what
-- is read from it must be what was posted, to the last digit. `expanded` only grows, in the transaction of its rows.
CREATE TABLE fan_outs (
    id           uuid PRIMARY KEY,
    tenant       text NOT NULL,
    event_type   text NOT NULL,
    body_hash    bytea NOT NULL,
    event        text NOT NULL,
    user_ids     text[] NOT NULL,
    total        integer NOT NULL,
    expanded     integer NOT NULL DEFAULT 0,
    conflicting  integer NOT NULL DEFAULT 0,
    traceparent  text,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    completed_at timestamptz,
    next_look_at timestamptz,
    looks        smallint NOT NULL DEFAULT 0
);
CREATE INDEX fan_outs_to_look_at ON fan_outs (next_look_at) WHERE next_look_at IS NOT NULL;
