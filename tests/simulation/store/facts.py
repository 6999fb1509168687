"""What routing asks, in memory; and what a claim asks again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contact_policy import EVERY, ContactPolicy, left_alone, read_policy
from shared.saga import RuleOf, Why
from shared.statuses import Channel
from shared.store.claims import ADDRESS
from shared.store.directory import User
from shared.store.facts import Facts
from shared.wishes import NO_WISHES, Wishes
from tests.simulation.store.devices import address_of_devices
from tests.simulation.store.engine import Transaction
from tests.simulation.store.rows import NotificationRow


def address_of(tx: Transaction, tenant: str, user: User | None, channel: Channel) -> str | None:
    """Find where a person is reached on a channel."""
    if user is None:
        return None
    if channel is Channel.PUSH:
        return tx.get(tx.memory.made_users, (tenant, user.id)) or address_of_devices(tx, tenant, user.id)
    places = {
        Channel.EMAIL: user.email,
        Channel.SMS: user.phone,
        Channel.WHATSAPP: user.whatsapp or user.phone,
        Channel.TELEGRAM: user.telegram,
        Channel.WEBSOCKET: user.id,
    }
    return places[channel]


def obstacle(
    tx: Transaction, tenant: str, user_id: str, category: str, channel: Channel, *, is_superseded: bool = False
) -> Why | None:
    """Say why nothing may be sent to a person on a channel, if so."""
    memory = tx.memory
    user = tx.get(memory.users, (tenant, user_id))
    if user is None:
        return Why.UNKNOWN_USER
    address = address_of(tx, tenant, user, channel)
    if address is None:
        return Why.NO_ADDRESS
    said = {named: tx.get(memory.preferences, (tenant, user_id, named, channel)) for named in (category, EVERY)}
    wishes = {named: {channel: enabled} for named, enabled in said.items() if enabled is not None}
    if not policy_of(tx, tenant).is_wanted(wishes, category, channel):
        return Why.OPTED_OUT
    if is_superseded:
        return Why.SUPERSEDED
    return Why.SUPPRESSED if tx.get(memory.suppressions, (tenant, channel, address)) is not None else None


def policy_of(tx: Transaction, tenant: str) -> ContactPolicy:
    """Find what holds for all people of a tenant."""
    text: str | None = tx.get(tx.memory.contact_policies, tenant)
    return read_policy(text)


def left_alone_on(tx: Transaction, tenant: str, user_id: str, category: str) -> Mapping[Channel, datetime]:
    """Say on which channels a person is left alone now, and until when."""
    user, hours = tx.get(tx.memory.users, (tenant, user_id)), tx.get(tx.memory.quiet_hours, (tenant, user_id))
    own_hours = json.dumps(hours) if hours is not None else None
    zone = user.time_zone if user else None
    return left_alone(policy_of(tx, tenant), own_hours, zone, category, tx.memory.now())


def facts_of(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, Facts]:
    """Read the facts of a set of notifications."""
    found = {key: _facts(tx, key) for key in ids}
    return {key: facts for key, facts in found.items() if facts is not None}


def _rule_of(own: object, found: object) -> RuleOf:
    if own is not None:
        return RuleOf.EVENT_TYPE
    return RuleOf.TENANT if found is not None else RuleOf.CARILLON


def _template_of(row: NotificationRow, workflow: Mapping[str, Any] | None) -> str:
    template: str = (row.wishes or {}).get("template") or (workflow or {}).get("template", "plain")
    return template


def _facts(tx: Transaction, key: UUID) -> Facts | None:
    row = tx.get(tx.memory.notifications, key)
    if row is None:
        return None
    tenant = row.saga.tenant
    own = tx.get(tx.memory.workflows, (tenant, row.event_type))
    own = own if row.own_workflow is None else row.own_workflow
    workflow: dict[str, Any] | None = own if own is not None else tx.get(tx.memory.workflows, (tenant, "*"))
    category = (workflow or {}).get("category", "general")
    obstacles = {channel: obstacle(tx, tenant, row.user_id, category, channel) for channel in ADDRESS}
    user = tx.get(tx.memory.users, (tenant, row.user_id))
    return Facts(
        event_type=row.event_type,
        user_id=row.user_id,
        user_name=user.name if user else "",
        data=row.data,
        preferred=row.preferred,
        workflow=workflow,
        workflow_of=_rule_of(own, workflow),
        has_own_expiry=row.has_own_expiry,
        wishes=Wishes.from_json(row.wishes) if row.wishes else NO_WISHES,
        locale=user.locale if user else "en",
        template_version=tx.get(tx.memory.templates, (tenant, _template_of(row, workflow))),
        obstacles={channel: why for channel, why in obstacles.items() if why is not None},
        left_alone=left_alone_on(tx, tenant, row.user_id, category),
    )
