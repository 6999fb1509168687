"""The statements of the claims. Each finds its rows by their keys, in the order of the ids that come in.

Sets are sorted by id before they come here: two sets that meet wait for each other, and cannot deadlock.
"""

from __future__ import annotations

from shared.saga.occurrences import QUIET_HOURS, Why
from shared.saga.owed import FIRST_LOOK_SECONDS
from shared.saga.state import MAX_TAKEOVERS
from shared.statuses import Channel
from shared.store import devices

LEASE_SECONDS = 60

ADDRESS = {
    Channel.EMAIL: "u.email",
    Channel.SMS: "u.phone",
    Channel.WHATSAPP: "COALESCE(u.whatsapp, u.phone)",
    Channel.TELEGRAM: "u.telegram",
    Channel.WEBSOCKET: "u.id",
    Channel.PUSH: devices.ADDRESS,
}
"""Where a channel's address stands in the row of a user."""

_WANTED = """
WITH wanted AS MATERIALIZED (
    SELECT w.*, %b::text AS channel
    FROM unnest(%b::uuid[], %b::int[], %b::int[], %b::uuid[]) AS w(id, attempt, epoch, token)
)"""
_ANSWER = """
SELECT j.notification_id, j.verdict, j.handed, j.outcome, j.tenant, j.user_id, x.address, j.content,
       CASE
           WHEN u.id IS NULL THEN 'nobody knows this user'
           WHEN x.address IS NULL THEN 'the user has no address for this channel'
           WHEN NOT COALESCE(
               CASE WHEN j.policy->'critical' ? j.category THEN true END,
               (SELECT p.enabled FROM preferences p WHERE p.tenant = j.tenant AND p.user_id = j.user_id
                AND p.category IN (j.category, '*') AND p.channel = j.channel ORDER BY p.category = '*' LIMIT 1),
               (j.policy #>> ARRAY['defaults', j.category, j.channel])::bool,
               (j.policy #>> ARRAY['defaults', '*', j.channel])::bool,
               true) THEN 'the user does not want this category here'
           WHEN is_capped(j.policy, j.category, j.channel) AND EXISTS (
               SELECT FROM contact_places k WHERE k.notification_id = j.notification_id AND k.channel = j.channel
               AND k.epoch = j.epoch AND NOT k.is_granted) THEN '{capped}'
           WHEN j.collapse_key IS NOT NULL AND EXISTS (
               SELECT FROM notifications m WHERE m.tenant = j.tenant AND m.user_id = j.user_id
               AND m.collapse_key = j.collapse_key AND m.created_at > j.created_at) THEN '{superseded}'
           WHEN EXISTS (SELECT FROM suppressions s WHERE s.tenant = j.tenant AND s.channel = j.channel
                        AND s.address = x.address) THEN 'the address is suppressed'
       END,
       EXTRACT(EPOCH FROM COALESCE(j.until, j.due_at) - clock_timestamp())::float8, j.traceparent,
       EXTRACT(EPOCH FROM clock_timestamp() - GREATEST(j.created_at, j.send_at))::float8,
       EXTRACT(EPOCH FROM j.expires_at - clock_timestamp())::float8, j.collapse_key,
       CASE WHEN j.attempt > 1 OR j.takeovers > 0 OR j.abandoned_at IS NOT NULL THEN (
           SELECT EXTRACT(EPOCH FROM clock_timestamp() - LEAST(min(a.started_at), j.abandoned_at))::float8
           FROM attempts a
           WHERE a.notification_id = j.notification_id AND a.channel = j.channel AND a.epoch = j.epoch
             AND a.outcome = 'ambiguous') END,
       j.wanted_attempt, j.wanted_epoch
FROM judged j, LATERAL (SELECT (j.person).*) u, LATERAL (SELECT {address} AS address) x
"""
_CATEGORY = "COALESCE(n.plan->>'category', 'general')"
_HAS_PLACE = f"""(NOT is_capped(c.definition, {_CATEGORY}, w.channel) OR EXISTS (
    SELECT FROM contact_places k WHERE k.notification_id = n.id AND k.channel = w.channel AND k.epoch = w.epoch))"""
_UNTIL = f"left_alone_until(c.definition, u.quiet_hours, u.time_zone, {_CATEGORY}, w.channel, clock_timestamp())"
_TAKE = f"""{_WANTED}, judged AS (
    UPDATE deliveries d
    SET status = 'sending', outcome = NULL, token = w.token, tries = d.tries + 1, claimed_at = clock_timestamp(),
        lease_until = clock_timestamp() + interval '{LEASE_SECONDS} seconds', updated_at = clock_timestamp()
    FROM wanted w JOIN notifications n ON n.id = w.id
    LEFT JOIN users u ON u.tenant = n.tenant AND u.id = n.user_id
    LEFT JOIN contact_policies c ON c.tenant = n.tenant
    WHERE d.notification_id = w.id AND d.channel = w.channel AND d.epoch = w.epoch AND d.attempt = w.attempt
      AND d.status IN ('queued', 'retrying', 'deferred') AND (d.due_at IS NULL OR d.due_at <= clock_timestamp())
      AND n.status = 'queued' AND n.cancelled_by IS NULL AND n.expires_at > clock_timestamp()
      AND (c.tenant IS NULL AND u.quiet_hours IS NULL OR {_UNTIL} IS NULL AND {_HAS_PLACE})
    RETURNING d.notification_id, 'claimed' AS verdict, d.token AS handed, d.outcome, d.tenant, d.content, d.due_at,
              d.channel, d.attempt, d.epoch, d.takeovers, d.attempt AS wanted_attempt, d.epoch AS wanted_epoch,
              n.user_id, {_CATEGORY} AS category, n.traceparent, n.created_at, n.send_at, n.expires_at, n.collapse_key,
              NULL::timestamptz AS abandoned_at, NULL::timestamptz AS until, u AS person, c.definition AS policy
){_ANSWER}"""  # noqa: S608 - constants of ours
"""Claims what nothing speaks against, which is nearly all. Whatever it leaves out, `JUDGE` explains."""

_JUDGE = f"""{_WANTED}, locked AS (
    SELECT d.notification_id, d.tenant, d.status, d.epoch, d.attempt, d.tries, d.takeovers, d.due_at, d.lease_until,
           d.claimed_at, d.token AS held, d.outcome, d.content,
           d.channel, w.attempt AS wanted_attempt, w.epoch AS wanted_epoch, w.token AS given
    FROM wanted w JOIN deliveries d ON d.notification_id = w.id AND d.channel = w.channel
    ORDER BY d.notification_id FOR UPDATE OF d
), verdicts AS (
    SELECT l.*, n.user_id, n.traceparent, n.created_at, n.send_at, {_CATEGORY} AS category, n.expires_at,
        n.collapse_key, u AS person, c.definition AS policy, q.until,
        CASE
            WHEN l.epoch <> l.wanted_epoch OR l.attempt <> l.wanted_attempt THEN 'stale'
            WHEN l.status = 'sending' AND l.outcome IS NOT NULL THEN 'recorded'
            WHEN l.status NOT IN ('queued', 'retrying', 'deferred', 'sending') OR n.status <> 'queued' THEN 'stale'
            WHEN l.status = 'sending' AND l.lease_until > clock_timestamp() THEN 'leased'
            WHEN l.status = 'sending' AND (
                l.takeovers + 1 >= {MAX_TAKEOVERS} OR l.tries >= COALESCE((n.plan->>'max_tries')::int, 4)
                OR n.plan->>'on_ambiguous' = 'hold' OR n.cancelled_by IS NOT NULL
                OR n.expires_at <= clock_timestamp()) THEN 'lost'
            WHEN l.status = 'sending' AND q.until IS NOT NULL THEN 'shelved'
            WHEN l.status = 'sending' THEN 'takeover'
            WHEN n.expires_at <= clock_timestamp() OR n.cancelled_by IS NOT NULL THEN 'expired'
            WHEN l.due_at > clock_timestamp() THEN 'early'
            WHEN q.until IS NOT NULL THEN 'quiet'
            WHEN NOT {_HAS_PLACE.replace("w.", "l.")} THEN 'capped'
            ELSE 'claimed'
        END AS verdict
    FROM locked l JOIN notifications n ON n.id = l.notification_id
    LEFT JOIN users u ON u.tenant = n.tenant AND u.id = n.user_id
    LEFT JOIN contact_policies c ON c.tenant = n.tenant
    CROSS JOIN LATERAL (SELECT {_UNTIL.replace("w.", "l.")} AS until OFFSET 0) q
), abandoned AS (
    INSERT INTO attempts (notification_id, token, tenant, channel, epoch, attempt, outcome, ambiguous, code, reason,
                          started_at)
    SELECT notification_id, held, tenant, channel, epoch, attempt, 'ambiguous', true, 'lease expired',
           'whoever held the claim did not come back in time', claimed_at
    FROM verdicts WHERE verdict IN ('takeover', 'lost', 'shelved') AND held IS NOT NULL
    ON CONFLICT (notification_id, token) DO NOTHING
), updated AS (
    UPDATE deliveries d
    SET status = 'sending', updated_at = clock_timestamp(),
        takeovers = d.takeovers + (j.verdict <> 'claimed')::int,
        outcome = CASE WHEN j.verdict = 'lost' THEN 'ambiguous' END,
        token = CASE WHEN j.verdict = 'lost' THEN d.token ELSE j.given END,
        tries = d.tries + (j.verdict <> 'lost')::int,
        claimed_at = clock_timestamp(),
        lease_until = CASE WHEN j.verdict <> 'lost' THEN clock_timestamp() + interval '{LEASE_SECONDS} seconds' END
    FROM verdicts j
    WHERE j.verdict IN ('claimed', 'takeover', 'lost')
      AND d.notification_id = j.notification_id AND d.channel = j.channel
), shelved AS (
    UPDATE deliveries d
    SET status = 'deferred', due_at = j.until, reason = '{QUIET_HOURS}', token = NULL, lease_until = NULL,
        takeovers = d.takeovers + (j.verdict = 'shelved')::int, updated_at = clock_timestamp()
    FROM verdicts j
    WHERE j.verdict IN ('quiet', 'shelved') AND d.notification_id = j.notification_id AND d.channel = j.channel
), told AS (
    INSERT INTO timeline (notification_id, entries)
    SELECT notification_id, jsonb_build_array(jsonb_build_object(
        'what', 'deferred', 'why', '{QUIET_HOURS}', 'channel', channel,
        'detail', jsonb_build_object('attempt', attempt, 'due_at', until)))
    FROM verdicts WHERE verdict IN ('quiet', 'shelved')
), judged AS (
    SELECT v.notification_id, v.verdict, v.outcome, v.tenant, v.user_id, v.content, v.channel, v.category, v.policy,
           v.person, v.due_at, v.traceparent, v.created_at, v.send_at, v.expires_at, v.collapse_key, v.attempt,
           v.takeovers,
           v.epoch, v.wanted_attempt, v.wanted_epoch,
           CASE WHEN v.verdict IN ('quiet', 'shelved') THEN v.until END AS until,
           CASE WHEN v.verdict IN ('claimed', 'takeover') THEN v.given ELSE v.held END AS handed,
           CASE WHEN v.verdict IN ('takeover', 'lost') THEN v.claimed_at END AS abandoned_at
    FROM verdicts v
){_ANSWER}"""  # noqa: S608 - constants of ours


def _for(statement: str, address: str) -> str:
    """Write a statement for a channel; short, for psycopg forgets how to read what has more than 4,096 characters."""
    written = statement.format(address=address, superseded=Why.SUPERSEDED, capped=Why.CAPPED)
    return "\n".join(line.strip() for line in written.splitlines())


TAKE = {channel: _for(_TAKE, column) for channel, column in ADDRESS.items()}
JUDGE = {channel: _for(_JUDGE, column) for channel, column in ADDRESS.items()}

RECORD = f"""
WITH said AS MATERIALIZED (
    SELECT s.*, %b::text AS channel
    FROM unnest(%b::uuid[], %b::uuid[], %b::text[], %b::int[], %b::int[], %b::text[], %b::bool[], %b::text[],
                         %b::text[], %b::text[], %b::text[], %b::float8[], %b::text[], %b::float8[])
        AS s(id, token, tenant, epoch, attempt, outcome, withheld, code, reason, provider, provider_message_id,
             retry_after_seconds, choice, took_seconds)
), marked AS (
    UPDATE deliveries d SET outcome = s.outcome, lease_until = NULL, updated_at = clock_timestamp()
    FROM said s
    WHERE d.notification_id = s.id AND d.channel = s.channel AND d.token = s.token AND d.status = 'sending'
      AND d.outcome IS NULL
    RETURNING d.token
), counted AS MATERIALIZED (
    SELECT count(*) < (SELECT count(*) FROM said) AS some_are_late FROM marked
)
INSERT INTO attempts AS a (notification_id, token, tenant, channel, epoch, attempt, outcome, ambiguous, withheld, code,
                           reason, provider, provider_message_id, retry_after_seconds, choice, started_at, next_look_at)
SELECT s.id, s.token, s.tenant, s.channel, s.epoch, s.attempt, s.outcome, s.outcome = 'ambiguous', s.withheld, s.code,
       s.reason, s.provider, s.provider_message_id, s.retry_after_seconds, s.choice,
       clock_timestamp() - s.took_seconds * interval '1 second',
       CASE WHEN s.outcome = 'accepted' AND (SELECT some_are_late FROM counted)
                 AND s.token <> ALL (ARRAY(SELECT token FROM marked))
            THEN clock_timestamp() + interval '{FIRST_LOOK_SECONDS} seconds' END
FROM said s
WHERE (SELECT some_are_late FROM counted) IS NOT NULL  -- so deliveries are locked first, as where a lease is taken over
ON CONFLICT (notification_id, token) DO UPDATE
SET outcome = EXCLUDED.outcome, withheld = EXCLUDED.withheld, code = EXCLUDED.code, reason = EXCLUDED.reason,
    provider = EXCLUDED.provider, provider_message_id = EXCLUDED.provider_message_id,
    retry_after_seconds = EXCLUDED.retry_after_seconds, choice = EXCLUDED.choice,
    next_look_at = EXCLUDED.next_look_at, ended_at = clock_timestamp()
WHERE a.outcome = 'ambiguous'
"""  # noqa: S608 - constants of ours
"""Keeps outcomes. A success that marks no delivery is late: it gets the time at which the sweep announces it."""
GIVE_BACK = """
WITH unused AS MATERIALIZED (
    SELECT u.*, %b::text AS channel FROM unnest(%b::uuid[], %b::uuid[]) AS u(id, token)
)
UPDATE deliveries d SET status = 'queued', token = NULL, lease_until = NULL, tries = GREATEST(d.tries - 1, 0),
       updated_at = clock_timestamp()
FROM unused u
WHERE d.notification_id = u.id AND d.channel = u.channel AND d.token = u.token AND d.status = 'sending'
  AND d.outcome IS NULL
"""
POSTPONE = """
WITH postponed AS (
    UPDATE deliveries
    SET status = 'deferred', reason = %b, updated_at = clock_timestamp(),
        due_at = CASE WHEN due_at > clock_timestamp() THEN due_at ELSE clock_timestamp() + %b * interval '1 second' END
    WHERE notification_id = %b AND channel = %b AND attempt = %b AND epoch = %b
      AND status IN ('queued', 'retrying', 'deferred')
    RETURNING notification_id, due_at
), told AS (
    INSERT INTO timeline (notification_id, entries) SELECT notification_id, %b FROM postponed
)
SELECT EXTRACT(EPOCH FROM due_at - clock_timestamp())::float8 FROM postponed
"""
"""What waits already is not put off: copies of one command would put it off in turns, for ever."""

SUPPRESS = """
INSERT INTO suppressions (tenant, channel, address, reason) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
MOVE_CHAT = """
UPDATE users SET telegram = %s, updated_at = clock_timestamp() WHERE tenant = %s AND id = %s AND telegram = %s
"""
"""Compare and set: an address that the person has changed meanwhile stays."""
