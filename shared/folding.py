"""Fold occurrences into locked sagas and write them: what orchestrate and the sweep do in the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from shared.options import options_for
from shared.outcomes import DEFAULT_CATEGORY
from shared.rendering import RenderingFailed, render, title_of
from shared.saga import LeftEmpty, Owed, Plan, Routed, Saga, Why, owed
from shared.statuses import Channel, NotificationStatus
from shared.store.changes import Change
from shared.store.digests import Joining
from shared.store.facts import Facts
from shared.store.sagas import SagaSet
from shared.store.template_versions import Key
from shared.templates import TemplateVersion
from shared.wishes import NO_WISHES, Wishes
from shared.workflows import DEFAULT, DEFAULT_PLAN, Workflow


def joining(saga: Saga, facts: Facts, now: datetime) -> Joining | None:
    """Tell which digest a new notification wants to join, if its workflow has one and it is not too late."""
    has_digest = facts.workflow is not None and facts.workflow.get("digest")
    digest = read_workflow(facts.workflow).digest if has_digest else None
    is_late = facts.has_own_expiry and saga.expires_at <= now
    if digest is None or saga.is_digest or is_late:
        return None
    return Joining(
        notification_id=saga.id,
        tenant=saga.tenant,
        user_id=facts.user_id,
        event_type=facts.event_type,
        key=digest.key(saga.tenant, facts.user_id, facts.event_type, facts.data),
        closes_at=digest.closes_at(now, facts.time_zone),
        traceparent=saga.traceparent,
    )


def begin(saga: Saga, known: Facts, served: frozenset[Channel]) -> Routed | LeftEmpty:
    """Make the occurrence with which a pending notification sets out."""
    if saga.is_digest and not known.data.get("count"):
        return LeftEmpty()
    return route(known, served, is_digest=saga.is_digest)


def route(known: Facts, served: frozenset[Channel], *, is_digest: bool = False) -> Routed:
    """Make the occurrence of routing out of the facts. A workflow that does not read is as none, with the default."""
    workflow = read_workflow(known.workflow)
    is_known = Why.UNKNOWN_USER not in known.obstacles.values()  # says more than a channel that is missing
    obstacles = {**known.obstacles, **_not_served(served)} if is_known else known.obstacles
    plan = _plan(workflow, is_digest=is_digest)
    if workflow is not DEFAULT:
        plan = plan.but(workflow=known.workflow_of)
    if known.template_version is not None and plan.template == workflow.template:
        plan = plan.but(template_version=known.template_version)
    routed = Routed(
        plan=plan,
        wanted=workflow.wanted(known.preferred),
        obstacles=obstacles,
        preferred=known.preferred,
        expires_after_seconds=workflow.expires_after_seconds,
        has_own_expiry=known.has_own_expiry,
        left_alone=known.left_alone,
    )
    return routed if known.wishes is NO_WISHES else as_wished(routed, known.wishes)


def as_wished(routed: Routed, wishes: Wishes) -> Routed:
    """Let what the request asks for itself go before its workflow."""
    said = {"template": wishes.template, "on_ambiguous": wishes.on_ambiguous}
    plan = routed.plan.but(**{name: value for name, value in said.items() if value is not None})
    if wishes.channel is None:
        return replace(routed, plan=plan)
    return replace(routed, plan=plan, wanted=(wishes.channel,), preferred=None, only=wishes.channel)


def _plan(workflow: Workflow, *, is_digest: bool) -> Plan:
    if is_digest:
        return workflow.plan_of_digest()
    return DEFAULT_PLAN if workflow is DEFAULT else workflow.plan()


@lru_cache(maxsize=10)
def _not_served(served: frozenset[Channel]) -> Mapping[Channel, Why]:
    return MappingProxyType({channel: Why.NOT_CONFIGURED for channel in Channel if channel not in served})


def read_workflow(definition: Mapping[str, Any] | None) -> Workflow:
    """Read a stored workflow."""
    if definition is None:
        return DEFAULT
    try:
        return Workflow.model_validate(definition)
    except ValidationError:  # written by a newer version: deliver rather than fail
        return DEFAULT


async def settle(sagas: SagaSet, changes: Sequence[Change], known: dict[UUID, Facts], *, looked: bool = False) -> None:
    """Render what is newly queued, write every change, and bury what nobody can decide but a person."""
    fresh = [(change, channels) for change in changes if (channels := change.queued())]
    unread = [change.before.id for change, _ in fresh if change.before.id not in known]
    known |= await sagas.facts(unread)
    templates = await sagas.templates({key for change, _ in fresh if (key := template_key(change.after))})
    for change, channels in fresh:
        facts, stored = known[change.before.id], templates.get(template_key(change.after) or _NO_TEMPLATE)
        for channel in channels:
            change.contents[channel] = content(change.after, channel, facts, stored)
    await sagas.save(changes, looked=looked)
    await sagas.bury("unknown", "orchestrate", [c.after for c in changes if _ended_unknown(c)])


_NO_TEMPLATE: Key = ("", "", 0)


def template_key(saga: Saga) -> Key | None:
    """Say which version a saga has begun with, if a tenant has written it."""
    version = saga.plan.template_version
    return None if version is None else (saga.tenant, saga.plan.template, version)


def content(saga: Saga, channel: Channel, known: Facts, stored: TemplateVersion | None = None) -> dict[str, Any]:
    """Put the event into words for a channel; what cannot be rendered says so, and the attempt fails for good."""
    variables = {
        **known.data,
        "event_type": known.event_type,
        "title": title_of(known.event_type),
        "user_id": known.user_id,
        "user_name": known.user_name,
    }
    try:
        words = _written(render(saga.plan.template, channel, variables, stored, known.locale), stored)
    except RenderingFailed as broken:
        words = {"unrenderable": str(broken)}
    try:
        if options := options_for(channel, saga.plan.options, known.data):
            words["options"] = {**words.get("options", {}), **options}  # an event's own HTML goes before
    except ValidationError:  # accepted by rules that were more lenient
        words["unrenderable"] = "the event's options are malformed"
    if channel is Channel.EMAIL and saga.plan.category != DEFAULT_CATEGORY:
        words["category"] = saga.plan.category  # what its unsubscribe link is about
    return {**words, "event_type": known.event_type}


def _written(rendered: dict[str, str], stored: TemplateVersion | None) -> dict[str, Any]:
    """Put what was rendered where the channels look for it; and remember which words of a tenant they are."""
    words: dict[str, Any] = {"subject": rendered["subject"], "text": rendered["text"]}
    if "html" in rendered:
        words["options"] = {"html": rendered["html"]}
    if stored and "language" in rendered:
        words["template"] = {"name": stored.name, "version": stored.version, "language": rendered["language"]}
    return words


def owed_after(change: Change, sagas: SagaSet) -> list[Owed]:
    """List what to publish for a change: for what it touched; for a copy of finished work, all that is still owed.

    A copy may have come together with what changed another channel of the same saga.
    """
    items = owed(change.after, sagas.now)
    if not change.entries or change.has_copy or change.after.status is not change.before.status:
        return items
    touched = {delivery.channel for delivery in change.touched()}
    return [item for item in items if getattr(item, "channel", None) in touched]


def _ended_unknown(change: Change) -> bool:
    return change.after.status is NotificationStatus.UNKNOWN and change.before.status is not NotificationStatus.UNKNOWN
