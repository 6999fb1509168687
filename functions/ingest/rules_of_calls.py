"""Why this provider, why again, why not yet, and why it ended so: what happened to the calls, and to the whole."""

from __future__ import annotations

from collections.abc import Iterator

from functions.ingest.status_documents import AttemptDocument as Attempt
from functions.ingest.status_documents import ExplainedRule as Rule
from functions.ingest.status_documents import NotificationDocument as Story
from shared.saga import What
from shared.statuses import DeliveryStatus, OutcomeKind

_AGAIN = {
    OutcomeKind.TRANSIENT: "the attempt before failed for now",
    OutcomeKind.THROTTLED: "the provider had asked to wait",
    OutcomeKind.AMBIGUOUS: "nobody knows whether the attempt before was taken",
    OutcomeKind.PERMANENT: "it was started over after the attempt before had failed for good",
    OutcomeKind.ACCEPTED: "it was asked for again after the attempt before had been taken",
}
_WAITING = {
    DeliveryStatus.RETRYING: "the attempt before failed for now",
    DeliveryStatus.DEFERRED: "it was told to wait",
}
_TOLD_ELSEWHERE = frozenset(
    {
        *("accepted", "attempt", What.ROUTED, What.PROVIDER_CHOSEN, What.SENT, What.DELIVERED, What.READ),
        *(What.RETRYING, What.DEFERRED, What.CHANNEL_FAILED, What.WITHHELD, What.AMBIGUOUS, What.GIVING_UP),
        *(What.SKIPPED, What.EXPIRED, What.UNKNOWN, What.FAILED, What.CANCELLING, What.CANCELLED),
    }
)
"""Lines of the timeline that the rules tell from the rows; whatever else is told there is a rule of its own."""


def of_attempts(story: Story) -> Iterator[Rule]:
    """Tell of every call why that provider, why again, and what came of it."""
    before: dict[str, Attempt] = {}
    for attempt in story.attempts:
        about = _named(attempt)
        yield _of_provider(attempt, about)
        if earlier := before.get(attempt.channel):
            yield _of_repetition(earlier, about)
        inputs = {"outcome": attempt.outcome, "code": attempt.code, "is_ambiguous": attempt.ambiguous}
        why = attempt.reason or attempt.code or "the provider says nothing more"
        yield Rule(rule="outcome", about=about, inputs=inputs, verdict=attempt.outcome.value, why=why)
        before[attempt.channel] = attempt


def _named(attempt: Attempt) -> str:
    life = f" of life {attempt.epoch + 1}" if attempt.epoch else ""
    return f"{attempt.channel}, attempt {attempt.attempt}{life}"


def _of_provider(attempt: Attempt, about: str) -> Rule:
    verdict, why = attempt.provider, attempt.choice or "it is the notification's first provider of this channel"
    if not attempt.provider:
        verdict, why = "none", "nothing says that one was called"
    inputs = {"provider": attempt.provider, "choice": attempt.choice}
    return Rule(rule="provider", about=about, inputs=inputs, verdict=verdict, why=why)


def _of_repetition(earlier: Attempt, about: str) -> Rule:
    inputs = {"outcome_before": earlier.outcome, "code_before": earlier.code}
    said = earlier.reason or earlier.code
    why = f"{_AGAIN[earlier.outcome]}: {said}" if said else _AGAIN[earlier.outcome]
    return Rule(rule="again", about=about, inputs=inputs, verdict="tried again", why=why)


def of_deliveries(story: Story) -> Iterator[Rule]:
    """Tell where every channel stands, and what it waits for."""
    for delivery in story.deliveries:
        inputs = {"status": delivery.status, "tries": delivery.tries}
        why = delivery.reason or "nothing more is said"
        yield Rule(rule="delivery", about=delivery.channel, inputs=inputs, verdict=delivery.status.value, why=why)
        if delivery.due_at and delivery.status in _WAITING:
            why = f"{_WAITING[delivery.status]}: {delivery.reason}"
            yield Rule(
                rule="wait", about=delivery.channel, inputs={"due_at": delivery.due_at}, verdict="not yet", why=why
            )
        if delivery.deadline:
            why = "if nobody acknowledges it by then, the next channel is asked"
            inputs = {"deadline": delivery.deadline}
            yield Rule(rule="deadline", about=delivery.channel, inputs=inputs, verdict="waited for", why=why)


def of_what_else_was_told(story: Story) -> Iterator[Rule]:
    """Tell what the timeline alone tells, each line under its own name."""
    for line in story.timeline:
        if line.what not in _TOLD_ELSEWHERE:
            name = line.what.replace("_", " ")
            yield Rule(rule=name, about=line.channel or "", inputs=line.detail, verdict=name, why=line.why)


def of_cancellation(story: Story) -> Iterator[Rule]:
    """Tell whether somebody called it back, and how far that went."""
    lines = [line for line in story.timeline if line.what in (What.CANCELLING, What.CANCELLED)]
    if not lines:
        yield Rule(rule="cancellation", inputs={"cancelled_by": None}, verdict="none", why="nobody has called it back")
    for line in lines:
        inputs = {"cancelled_by": story.cancelled_by, **line.detail}
        yield Rule(rule="cancellation", inputs=inputs, verdict=line.what, why=line.why)


def of_end(story: Story) -> Iterator[Rule]:
    """Tell where the whole stands."""
    inputs = {"status": story.status, "epoch": story.epoch}
    why = story.reason or "it was accepted, and nothing has been decided yet"
    yield Rule(rule="status", inputs=inputs, verdict=story.status.value, why=why)
