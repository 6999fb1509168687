"""Why this channel, why not each other one, and why then: the rules that are asked when a notification is routed."""

from __future__ import annotations

from collections.abc import Iterator

from functions.ingest.status_documents import ExplainedRule as Rule
from functions.ingest.status_documents import NotificationDocument as Story
from functions.ingest.status_documents import PlanDocument as Plan
from shared.saga import OnAmbiguous, RuleOf, Strategy, What, Why
from shared.statuses import Channel, NotificationStatus

N = NotificationStatus

_RULES = {
    RuleOf.EVENT_TYPE: "the tenant has a rule for this event type",
    RuleOf.TENANT: "the tenant has none for this event type, so its default counts",
    RuleOf.CARILLON: "the tenant has neither a rule for this event type nor a default, so the built-in one counts",
}
_STRATEGIES = {
    Strategy.FIRST: "one channel after the other, until one is sent",
    Strategy.ALL: "every usable channel at once, and none for another",
    Strategy.ESCALATE: "one channel after the other, until somebody acknowledges",
}
_IN_DOUBT = {
    OnAmbiguous.RESEND: "what may have been sent is sent again: at least once",
    OnAmbiguous.HOLD: "what may have been sent is never sent again: a person decides",
}
CHECKS: tuple[tuple[str, Why], ...] = (
    ("user_is_known", Why.UNKNOWN_USER),
    ("is_served_here", Why.NOT_CONFIGURED),
    ("has_address", Why.NO_ADDRESS),
    ("is_wanted", Why.OPTED_OUT),
    ("is_not_suppressed", Why.SUPPRESSED),
)
"""What is asked of a channel, in the order in which an answer hides the ones behind it."""

_NOT_ASKED = {
    N.SENT: "a channel before it was sent",
    N.DELIVERED: "it was acknowledged on a channel before it",
    N.CANCELLED: "it was called back before its turn",
    N.COMPENSATING: "nothing more is asked for",
    N.EXPIRED: "it expired before its turn",
    N.SKIPPED: "it was not wanted any more",
    N.UNKNOWN: "a channel before it may have been sent",
}


def of_workflow(story: Story) -> Iterator[Rule]:
    """Tell whose rule it was."""
    if story.plan is None:
        yield Rule(rule="workflow", verdict="not routed", why="it has not been routed, so no rule was chosen")
        return
    inputs = {"event_type": story.event_type, "rule_of": story.plan.workflow.value}
    verdict = f"rule of the {story.plan.workflow}" if story.plan.workflow is not RuleOf.CARILLON else "built in"
    yield Rule(rule="workflow", inputs=inputs, verdict=verdict, why=_RULES[story.plan.workflow])


def of_category(story: Story) -> Iterator[Rule]:
    """Tell what the person's wishes were asked for."""
    if story.plan:
        category = story.plan.category
        why = "the workflow says so: wishes about this category count, and those about all"
        yield Rule(rule="category", inputs={"category": category}, verdict=category, why=why)


def of_preferred_channel(story: Story) -> Iterator[Rule]:
    """Tell what became of the event's own wish."""
    preferred = story.preferred_channel
    if preferred is None:
        verdict, why = "none", "the event prefers no channel"
    elif story.plan and preferred in story.plan.passed:
        verdict, why = "not heard", f"the event prefers {preferred}, which cannot be used"
    else:
        verdict, why = "goes first", f"the event prefers {preferred}"
    yield Rule(rule="preferred channel", inputs={"preferred_channel": preferred}, verdict=verdict, why=why)


def of_strategy(story: Story) -> Iterator[Rule]:
    """Tell how channels follow each other."""
    if story.plan:
        strategy = story.plan.strategy
        yield Rule(rule="strategy", inputs={"strategy": strategy}, verdict=strategy.value, why=_STRATEGIES[strategy])


def of_channels(story: Story) -> Iterator[Rule]:
    """Tell of every channel whether it could be used, and what stood in its way."""
    if story.plan:
        for channel in Channel:
            yield _of_channel(story.plan, channel)


def _of_channel(plan: Plan, channel: Channel) -> Rule:
    obstacle = plan.passed.get(channel)
    if obstacle is None and channel not in plan.steps:
        why = "neither the workflow nor the event names it"
        return Rule(rule="channel", about=channel, inputs={"is_named": False}, verdict="not named", why=why)
    inputs = {"is_named": True, **_checked(obstacle)}
    if obstacle is not None:
        return Rule(rule="channel", about=channel, inputs=inputs, verdict="passed over", why=obstacle)
    return Rule(rule="channel", about=channel, inputs=inputs, verdict="usable", why="nothing stands in its way")


def _checked(obstacle: str | None) -> dict[str, object]:
    """Say of every check how it ended; of those behind the first that failed nothing is remembered."""
    found: dict[str, object] = {}
    for name, why in CHECKS:
        found[name] = why.value != obstacle
        if why.value == obstacle:
            return found
    return found if obstacle is None else {"obstacle": obstacle}


def of_turns(story: Story) -> Iterator[Rule]:
    """Tell why each usable channel was asked, or was not."""
    asked = {line.channel: line.why for line in story.timeline if line.what == What.ROUTED}
    for place, channel in enumerate(story.plan.steps if story.plan else (), start=1):
        inputs = {"place": place, "is_asked": channel in asked}
        if channel in asked:
            yield Rule(rule="turn", about=channel, inputs=inputs, verdict="asked", why=asked[channel])
        else:
            why = _NOT_ASKED.get(story.status, "its turn comes when the ones before it have failed")
            yield Rule(rule="turn", about=channel, inputs=inputs, verdict="not asked", why=why)


def of_template(story: Story) -> Iterator[Rule]:
    """Tell which words were used."""
    if story.plan:
        template, version = story.plan.template, story.plan.template_version
        why = "the request names it" if "template" in story.wishes else "the workflow names it"
        verdict = f"{template}, version {version}" if version else f"{template}, which is built in"
        yield Rule(rule="template", inputs={"template": template, "version": version}, verdict=verdict, why=why)


def of_retries(story: Story) -> Iterator[Rule]:
    """Tell how often it may be tried again, and what happens in doubt."""
    if story.plan is None:
        return
    waits = story.plan.retry_seconds
    why = f"the workflow lets it be tried again after {', '.join(f'{wait:g}' for wait in waits)} s"
    if not waits:
        why = "the workflow lets nothing be tried again"
    yield Rule(rule="retries", inputs={"retry_seconds": waits}, verdict=f"{len(waits)} more tries", why=why)
    in_doubt = story.plan.on_ambiguous
    whose = "as the request asks" if "on_ambiguous" in story.wishes else "as the workflow says"
    why = f"{_IN_DOUBT[in_doubt]}, {whose}"
    yield Rule(rule="in doubt", inputs={"on_ambiguous": in_doubt}, verdict=in_doubt.value, why=why)


def of_acknowledgements(story: Story) -> Iterator[Rule]:
    """Tell which channels must be acknowledged, and by when."""
    for channel, seconds in (story.plan.unless_delivered_within_seconds if story.plan else {}).items():
        if story.plan and channel in story.plan.steps:
            why = f"without an acknowledgement within {seconds:g} s the next channel is asked"
            inputs = {"unless_delivered_within_seconds": seconds}
            yield Rule(rule="acknowledgement", about=channel, inputs=inputs, verdict="waited for", why=why)
