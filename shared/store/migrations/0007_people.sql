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
