"""What routing and rendering ask about a notification: the event, the person, their wishes, the workflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from uuid import UUID

from shared.contact_policy import EVERY, NOBODY_SLEEPS, left_alone, read_policy
from shared.outcomes import DEFAULT_CATEGORY
from shared.quick import quick
from shared.saga import RuleOf, Why
from shared.statuses import Channel
from shared.store.claims import ADDRESS
from shared.store.columns import Uuids
from shared.store.database import Connection
from shared.wishes import NO_WISHES, Wishes


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What routing and rendering need to know about one notification.

    `left_alone` says on which channels the person has quiet hours now, and until when.
    """

    event_type: str
    user_id: str
    user_name: str = field(repr=False)
    data: Mapping[str, Any] = field(repr=False)
    preferred: Channel | None
    workflow: dict[str, Any] | None
    workflow_of: RuleOf = RuleOf.CARILLON
    has_own_expiry: bool = False
    wishes: Wishes = NO_WISHES
    obstacles: Mapping[Channel, Why]
    left_alone: Mapping[Channel, datetime] = field(default_factory=dict)
    time_zone: str | None = None
    locale: str = "en"
    template_version: int | None = None


_IS_SUPPRESSED = " OR ".join(
    f"(s.channel = '{channel}' AND s.address = {column})" for channel, column in ADDRESS.items()
)
COLUMNS = f"""
       n.id, n.event_type, n.user_id, COALESCE(u.name, ''), n.data, n.preferred,
       COALESCE(n.own_workflow, w.definition, d.definition), u.id IS NOT NULL, n.has_own_expiry,
       CASE WHEN w.tenant IS NOT NULL THEN 'event type' WHEN d.tenant IS NOT NULL THEN 'tenant' ELSE 'carillon' END,
       n.wishes, COALESCE(u.locale, 'en'), t.published,
       {", ".join(f"{column} IS NOT NULL" for column in ADDRESS.values())},
       u.quiet_hours::text, u.time_zone, c.definition::text,
       (SELECT array_agg(CASE WHEN p.category = '*' THEN '*' ELSE '' END || p.enabled::text || ' ' || p.channel)
        FROM preferences p WHERE p.tenant = n.tenant AND p.user_id = n.user_id
          AND p.category IN (COALESCE(n.own_workflow->>'category', w.definition->>'category',
                                      d.definition->>'category', 'general'), '*')),
       (SELECT array_agg(s.channel) FROM suppressions s
        WHERE s.tenant = n.tenant AND ({_IS_SUPPRESSED}))
"""  # noqa: S608 - names of columns, all ours
SOURCES = """
FROM notifications n
LEFT JOIN users u ON u.tenant = n.tenant AND u.id = n.user_id
LEFT JOIN workflows w ON w.tenant = n.tenant AND w.event_type = n.event_type
LEFT JOIN workflows d ON d.tenant = n.tenant AND d.event_type = '*'
LEFT JOIN contact_policies c ON c.tenant = n.tenant
LEFT JOIN templates t ON t.tenant = n.tenant
    AND t.name = COALESCE(n.wishes->>'template', COALESCE(n.own_workflow, w.definition, d.definition)->>'template',
                          'plain')
WHERE n.id = ANY(%b)
"""
_FACTS = f"SELECT {COLUMNS} {SOURCES}"
_FIRST_ADDRESS = 13
_RULES = {rule.value: rule for rule in RuleOf}


async def facts(connection: Connection, ids: Sequence[UUID], now: datetime) -> dict[UUID, Facts]:
    """Read the facts of a set of notifications inside their transaction, as they are at this moment."""
    if not ids:
        return {}
    rows = await (await connection.execute(_FACTS, (Uuids(ids),))).fetchall()
    return {row[0]: facts_of(row, now) for row in rows}


def facts_of(row: tuple[Any, ...], now: datetime) -> Facts:
    """Read a row of `COLUMNS`, as it is at this moment."""
    addresses = row[_FIRST_ADDRESS : _FIRST_ADDRESS + len(ADDRESS)]
    own_hours, zone, policy, wishes, suppressed = row[-5:]
    category = (row[6] or {}).get("category", DEFAULT_CATEGORY)
    unwanted = _unwanted(tuple(wishes or ()), policy, category) if wishes or policy else ()
    return Facts(
        event_type=row[1],
        user_id=row[2],
        user_name=row[3],
        data=row[4],
        preferred=Channel(row[5]) if row[5] else None,
        workflow=row[6],
        has_own_expiry=row[8],
        workflow_of=_RULES[row[9]],
        wishes=Wishes.from_json(row[10]) if row[10] else NO_WISHES,
        time_zone=zone,
        locale=row[11],
        template_version=row[12],
        obstacles=_obstacles(row[7], addresses, unwanted, tuple(suppressed or ())),
        left_alone=left_alone(read_policy(policy), own_hours, zone, category, now)
        if own_hours or policy
        else NOBODY_SLEEPS,
    )


@lru_cache(maxsize=1000)
def _unwanted(wishes: tuple[str, ...], policy: str | None, category: str) -> tuple[Channel, ...]:
    """List the channels on which a person does not want a category: their words are read as the query writes them."""
    said: dict[str, dict[Channel, bool]] = {}
    for wish in wishes:
        word, _, channel = wish.partition(" ")
        said.setdefault(EVERY if word.startswith(EVERY) else category, {})[Channel(channel)] = word.endswith("true")
    return tuple(channel for channel in Channel if not read_policy(policy).is_wanted(said, category, channel))


@lru_cache(maxsize=1000)
def _obstacles(
    is_known: bool, addresses: tuple[bool, ...], unwanted: tuple[Channel, ...], suppressed: tuple[str, ...]
) -> Mapping[Channel, Why]:
    """Say for each channel what is in its way. There are few answers, and one is asked for with every notification."""
    obstacles: dict[Channel, Why] = {}
    for channel, has_address in zip(ADDRESS, addresses, strict=True):
        checks = (
            (not is_known, Why.UNKNOWN_USER),
            (not has_address, Why.NO_ADDRESS),
            (channel in unwanted, Why.OPTED_OUT),
            (channel.value in suppressed, Why.SUPPRESSED),
        )
        why = next((why for applies, why in checks if applies), None)
        if why:
            obstacles[channel] = why
    return MappingProxyType(obstacles)
