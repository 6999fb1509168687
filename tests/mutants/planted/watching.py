"""Bugs in what is counted, told and traced."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

PLANTED: tuple[Mutant, ...] = (
    Mutant(
        name="quiet-hours-are-a-delay",
        breaks="The service level counts from the end of a person's quiet hours.",
        file="shared/telling.py",
        text="waiting.reason == QUIET_HOURS:",
        instead="waiting.reason != QUIET_HOURS:",
        looks_at=("tests/unit/test_telling.py",),
    ),
    Mutant(
        name="every-channel-judged",
        breaks="A notification is judged once, when a provider first has it.",
        file="shared/telling.py",
        text="if before.status not in UNENDED or _has_reached(before):",
        instead="if before.status not in UNENDED:",
        looks_at=("tests/unit/test_telling.py",),
    ),
    Mutant(
        name="lost-lease-not-counted",
        breaks="A call from which nobody came back is counted as ambiguous.",
        file="shared/step/recording.py",
        text="self._ambiguous.inc(is_lost)",
        instead="self._ambiguous.inc(0)",
        looks_at=("tests/integration/test_observing.py",),
    ),
    Mutant(
        name="closed-breaker-shown-as-open",
        breaks="A breaker is shown as open until its time is over.",
        file="shared/store/breakers.py",
        text="CASE WHEN state = 'open' AND opened_until > clock_timestamp() THEN 'open'",
        instead="CASE WHEN state = 'open' THEN 'open'",
        looks_at=("tests/integration/test_observing.py",),
    ),
    Mutant(
        name="trace-ends-at-the-intake",
        breaks="The trace of the POST stands in the notification's row.",
        file="functions/ingest/tracing.py",
        text="named = replace(event, traceparent=span.traceparent)",
        instead="named = event",
        looks_at=("tests/integration/test_traced_intake.py",),
    ),
    Mutant(
        name="library-says-anything",
        breaks="Of what a library says the log has only what is always the same.",
        file="shared/logs.py",
        text="if record.name.startswith(OURS):",
        instead="if record.name:",
        looks_at=("tests/unit/test_logs.py",),
    ),
)
