-- People: more ways to reach them, what they want, when they may be disturbed and how often, and how they are forgotten.

ALTER TABLE users
    ADD COLUMN whatsapp text,
    ADD COLUMN time_zone text,
    ADD COLUMN quiet_hours jsonb;

-- Found by an address: for a list with a filter, and to see whether somebody else has the address of a person erased.
CREATE INDEX users_by_email ON users (tenant, email) WHERE email IS NOT NULL;
CREATE INDEX users_by_phone ON users (tenant, phone) WHERE phone IS NOT NULL;
CREATE INDEX users_by_whatsapp ON users (tenant, whatsapp) WHERE whatsapp IS NOT NULL;
CREATE INDEX users_by_telegram ON users (tenant, telegram) WHERE telegram IS NOT NULL;

-- What holds for all people of a tenant who have said nothing else: shared/contact_policy.py. Without a row, nothing.
CREATE TABLE contact_policies (
    tenant     text PRIMARY KEY,
    definition jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The instant at which clocks in a zone first show a time. Where they show it twice, AT TIME ZONE takes the second one.
CREATE FUNCTION first_instant(wall timestamp, zone text) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT min(i.at)
    FROM (SELECT (wall AT TIME ZONE zone) - back AS at
          FROM unnest(ARRAY[interval '0', interval '30 minutes', interval '1 hour', interval '2 hours']) AS back) i
    WHERE i.at AT TIME ZONE zone = wall OR i.at = wall AT TIME ZONE zone
$$;

-- When the quiet hours end that a moment lies in; null when it lies in none. The same as shared/quiet_hours.py.
CREATE FUNCTION quiet_until(moment timestamptz, zone text, hours jsonb) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    starts time := hours->>'from';
    ends   time := hours->>'to';
    today  date;
    until  timestamptz;
BEGIN
    today := (moment AT TIME ZONE zone)::date;
    FOR back IN 0..1 LOOP
        until := (today - back + (ends <= starts)::int + ends) AT TIME ZONE zone;
        IF moment < until AND first_instant(today - back + starts, zone) <= moment THEN
            RETURN until;
        END IF;
    END LOOP;
    RETURN NULL;
EXCEPTION WHEN invalid_parameter_value THEN  -- a zone that this server does not know must not stop a whole set
    RETURN CASE WHEN zone <> 'UTC' THEN quiet_until(moment, 'UTC', hours) END;
END $$;

-- Until when a person is left alone on a channel; null when nothing speaks against now.
CREATE FUNCTION left_alone_until(policy jsonb, own jsonb, zone text, category text, channel text, moment timestamptz)
RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN policy->'critical' ? category OR NOT COALESCE(q.hours->'channels' ? channel, false) THEN NULL
        ELSE quiet_until(moment, COALESCE(zone, policy->>'time_zone', 'UTC'), q.hours) END
    FROM (SELECT COALESCE(own, policy->'quiet_hours') AS hours) q
$$;

-- Whom caps count for: who is asked for at once waits for the other here. Without caps nothing is ever written.
CREATE TABLE contact_counters (
    tenant  text NOT NULL,
    user_id text NOT NULL,
    turn    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, user_id)
);

-- One row for each delivery that a cap was asked about: it got a place, or there was none.
CREATE TABLE contact_places (
    notification_id uuid NOT NULL,
    channel         text NOT NULL,
    epoch           integer NOT NULL,
    tenant          text NOT NULL,
    user_id         text NOT NULL,
    category        text NOT NULL,
    is_granted      boolean NOT NULL,
    taken_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (notification_id, channel, epoch)
);
CREATE INDEX contact_places_of_user ON contact_places (tenant, user_id, channel, taken_at);

-- Whether a cap of the policy counts a category on a channel.
CREATE FUNCTION is_capped(policy jsonb, category text, channel text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT NOT COALESCE(policy->'critical' ? category, false) AND EXISTS (
        SELECT FROM jsonb_array_elements(COALESCE(policy->'caps', '[]')) AS cap
        WHERE cap->>'channel' = channel AND cap->>'category' IN (category, '*'))
$$;

-- People who are being forgotten, and the record that it was done. `user_id` is gone when the work is: what is left
-- names nobody. `alias` stands in its place in their notifications. `needles` is what gives a person away in the bytes of
-- a dead letter, until the work is done; `after_...` is how far it has come.
CREATE TABLE erasures (
    id            uuid PRIMARY KEY,
    tenant        text NOT NULL,
    user_id       text,
    alias         text NOT NULL,
    requested_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    look_at       timestamptz DEFAULT clock_timestamp(),
    is_second     boolean NOT NULL DEFAULT false,
    needles       text[],
    after_letter  uuid,
    after_at      timestamptz,
    after_id      uuid,
    notifications integer NOT NULL DEFAULT 0,
    finished_at   timestamptz
);
CREATE INDEX erasures_to_look_at ON erasures (look_at) WHERE look_at IS NOT NULL;
CREATE UNIQUE INDEX erasures_under_way ON erasures (tenant, user_id) WHERE user_id IS NOT NULL;

-- Whatever is reported of an erased notification later is kept without its words.
ALTER TABLE notifications ADD COLUMN erased_at timestamptz;
CREATE INDEX IF NOT EXISTS notifications_of_user ON notifications (tenant, user_id, created_at, id);
CREATE INDEX dead_letters_with_bytes ON dead_letters (id) WHERE body IS NOT NULL;

-- Who was suppressed stays so when their address is forgotten: it is kept as a keyed hash, and written out again when
-- somebody is known by that address once more. Whoever has the whole database has the key, too.
CREATE TABLE suppressed_hashes (
    tenant     text NOT NULL,
    channel    text NOT NULL,
    hash       bytea NOT NULL,
    reason     text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, channel, hash)
);
INSERT INTO secrets (name, value)
VALUES ('erasure', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'))
ON CONFLICT DO NOTHING;

CREATE FUNCTION hash_of_address(tenant text, channel text, address text) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(s.value || convert_to(concat_ws(chr(31), tenant, channel, address), 'UTF8'))
    FROM secrets s WHERE s.name = 'erasure'
$$;

CREATE FUNCTION restore_suppressions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM suppressed_hashes h WHERE h.tenant = NEW.tenant) THEN
        INSERT INTO suppressions (tenant, channel, address, reason, created_at)
        SELECT h.tenant, h.channel, a.address, h.reason, h.created_at
        FROM (VALUES ('email', NEW.email), ('sms', NEW.phone), ('whatsapp', COALESCE(NEW.whatsapp, NEW.phone)),
                     ('telegram', NEW.telegram)) AS a(channel, address)
        JOIN suppressed_hashes h ON h.tenant = NEW.tenant AND h.channel = a.channel
            AND h.hash = hash_of_address(NEW.tenant, a.channel, a.address)
        WHERE a.address IS NOT NULL
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER suppressions_come_back AFTER INSERT OR UPDATE OF email, phone, whatsapp, telegram ON users
    FOR EACH ROW EXECUTE FUNCTION restore_suppressions();
