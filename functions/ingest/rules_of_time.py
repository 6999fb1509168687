"""Why now, why not before, why not any more, and together with what: the rules about time."""

from __future__ import annotations

from collections.abc import Iterator

from functions.ingest.status_documents import ExplainedRule as Rule
from functions.ingest.status_documents import NotificationDocument as Story
from shared.saga import What, Why
from shared.saga.occurrences import QUIET_HOURS


def of_priority(story: Story) -> Iterator[Rule]:
    """Tell how soon it was looked at where much waited."""
    why = "the request says so" if "priority" in story.wishes else "the request says nothing"
    yield Rule(rule="priority", inputs={"priority": story.priority}, verdict=story.priority.value, why=why)


def of_digest(story: Story) -> Iterator[Rule]:
    """Tell what it was collected into, or what was collected into it."""
    inputs = {"digest_id": story.digest_id, "digest_count": story.digest_count}
    if story.digest_id is not None:
        why = "the workflow collects events: it ends as its digest does"
        yield Rule(rule="digest", inputs=inputs, verdict="in a digest", why=why)
    elif story.digest_count is not None:
        why = "the workflow collects events, and this is sent for all of them"
        yield Rule(rule="digest", inputs=inputs, verdict=f"a digest of {story.digest_count}", why=why)


def of_quiet_hours(story: Story) -> Iterator[Rule]:
    """Tell on which channels it waited until a person's quiet hours were over."""
    waits = {line.channel: line for line in story.timeline if line.what == What.DEFERRED and line.why == QUIET_HOURS}
    for channel, line in waits.items():
        inputs = {"due_at": line.detail.get("due_at")}
        yield Rule(rule="quiet hours", about=channel or "", inputs=inputs, verdict="waits", why=line.why)


def of_time(story: Story) -> Iterator[Rule]:
    """Tell why not before."""
    verdict, why = "at once", "the event asks for no time"
    if story.send_at is not None:
        verdict, why = "at its time", "the event asks for this time"
    yield Rule(rule="send at", inputs={"send_at": story.send_at}, verdict=verdict, why=why)


def of_expiry(story: Story) -> Iterator[Rule]:
    """Tell how long it was of use."""
    verdict, why = "by the workflow", "the event says nothing: its workflow's time counts, else a day"
    if story.has_own_expiry:
        verdict, why = "by the event", "the event says so, unless its workflow's time is earlier"
    inputs = {"expires_at": story.expires_at, "has_own_expiry": story.has_own_expiry}
    yield Rule(rule="expiry", inputs=inputs, verdict=verdict, why=why)


def of_collapsing(story: Story) -> Iterator[Rule]:
    """Tell whether a newer one took its place."""
    inputs = {"collapse_key": story.collapse_key}
    if story.collapse_key is None:
        yield Rule(rule="collapse key", inputs=inputs, verdict="none", why="no other notification takes its place")
        return
    is_replaced = Why.SUPERSEDED in {story.reason, *(delivery.reason for delivery in story.deliveries)}
    verdict, why = ("replaced", Why.SUPERSEDED.value) if is_replaced else ("stands", "no newer one came before it")
    yield Rule(rule="collapse key", inputs=inputs, verdict=verdict, why=why)
