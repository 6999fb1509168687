"""Explain a notification: every rule with its inputs, its verdict and the reason. Pure, over what is stored of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from functions.ingest import rules_of_calls as calls
from functions.ingest import rules_of_routing as routing
from functions.ingest import rules_of_time as time
from functions.ingest.status_documents import ExplainedRule, Explanation, NotificationDocument

Rule = Callable[[NotificationDocument], Iterator[ExplainedRule]]

RULES: tuple[Rule, ...] = (
    time.of_time,
    routing.of_workflow,
    routing.of_category,
    routing.of_preferred_channel,
    routing.of_channels,
    routing.of_strategy,
    routing.of_turns,
    routing.of_template,
    time.of_priority,
    time.of_digest,
    time.of_quiet_hours,
    time.of_expiry,
    time.of_collapsing,
    routing.of_retries,
    routing.of_acknowledgements,
    calls.of_attempts,
    calls.of_deliveries,
    calls.of_what_else_was_told,
    calls.of_cancellation,
    calls.of_end,
)
"""In the order in which they are asked. Another rule is another line here."""


def explain(story: NotificationDocument) -> Explanation:
    """Tell why it took its way."""
    return Explanation(id=story.id, status=story.status, rules=[line for rule in RULES for line in rule(story)])


def in_words(explanation: Explanation) -> str:
    """Write an explanation as text, a line for each rule."""
    lines = [f"{explanation.id} is {explanation.status}."]
    for line in explanation.rules:
        about = f" ({line.about})" if line.about else ""
        lines.append(f"{line.rule}{about}: {line.verdict}. {line.why[:1].upper()}{line.why[1:]}.")
    return "\n".join(lines) + "\n"
