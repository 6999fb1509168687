"""Places under caps: who is to be sent something, and who has had enough, decided for each person in turn.

Places are given out where the claim is, not where it is routed: what counts is what is sent, and when.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from shared.contact_policy import LONGEST_PERIOD_SECONDS, read_policy
from shared.statuses import Channel
from shared.store.columns import Booleans, Integers, Texts, Uuids, transposed
from shared.store.database import Connection
from shared.store.recorded import Command

_TAKE_TURNS = """
INSERT INTO contact_counters AS c (tenant, user_id)
SELECT DISTINCT n.tenant, n.user_id FROM unnest(%b::uuid[]) AS w(id) JOIN notifications n ON n.id = w.id
ORDER BY n.tenant, n.user_id
ON CONFLICT (tenant, user_id) DO UPDATE SET turn = c.turn + 1
RETURNING tenant, user_id
"""
"""One row for each person, in one order for all: whoever asks at the same time waits here, and then sees our places."""

_WANTED = """
SELECT w.id, w.epoch, n.tenant, n.user_id, COALESCE(n.plan->>'category', 'general'), c.definition::text
FROM unnest(%b::uuid[], %b::int[]) AS w(id, epoch) JOIN notifications n ON n.id = w.id
JOIN contact_policies c ON c.tenant = n.tenant
ORDER BY n.created_at, w.id
"""
_TAKEN = """
SELECT k.tenant, k.user_id, k.category, EXTRACT(EPOCH FROM clock_timestamp() - k.taken_at)::float8
FROM unnest(%b::text[], %b::text[]) AS p(tenant, user_id)
JOIN contact_places k ON k.tenant = p.tenant AND k.user_id = p.user_id
WHERE k.channel = %b AND k.is_granted AND k.taken_at > clock_timestamp() - %b * interval '1 second'
"""
_KEEP = """
INSERT INTO contact_places (channel, notification_id, epoch, tenant, user_id, category, is_granted)
SELECT %b, * FROM unnest(%b::uuid[], %b::int[], %b::text[], %b::text[], %b::text[], %b::bool[])
ON CONFLICT DO NOTHING
"""
_CLEAR = """
DELETE FROM contact_places k USING unnest(%b::text[], %b::text[]) AS p(tenant, user_id)
WHERE k.tenant = p.tenant AND k.user_id = p.user_id AND k.channel = %b
  AND k.taken_at < clock_timestamp() - 8 * interval '1 day'
"""
"""Nothing lives longer than seven days, so nobody asks for these any more."""

Place = tuple[UUID, int, str, str, str, bool]


async def seat(connection: Connection, channel: Channel, commands: Sequence[Command]) -> None:
    """Give each delivery its place, or note that there is none, the oldest notification first."""
    ids = Uuids(sorted({command.notification_id for command in commands}))
    people = await (await connection.execute(_TAKE_TURNS, (ids,))).fetchall()
    columns = transposed((Texts, Texts), sorted(people))
    taken: dict[tuple[str, str], list[tuple[str, float]]] = {(row[0], row[1]): [] for row in people}
    values = (*columns, channel.value, LONGEST_PERIOD_SECONDS)
    for tenant, user_id, category, age in await (await connection.execute(_TAKEN, values)).fetchall():
        taken[tenant, user_id].append((category, age))
    wanted = transposed((Uuids, Integers), sorted({(one.notification_id, one.epoch) for one in commands}))
    places: list[Place] = []
    for key, epoch, tenant, user_id, category, policy in await (await connection.execute(_WANTED, wanted)).fetchall():
        is_granted = not read_policy(policy).is_full(category, channel, taken[tenant, user_id])
        if is_granted:
            taken[tenant, user_id].append((category, 0.0))
        places.append((key, epoch, tenant, user_id, category, is_granted))
    kinds = (Uuids, Integers, Texts, Texts, Texts, Booleans)
    await connection.execute(_KEEP, (channel.value, *transposed(kinds, places)))
    await connection.execute(_CLEAR, (*columns, channel.value))
