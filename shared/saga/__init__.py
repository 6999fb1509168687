"""The saga of one notification: what is known, what happened, what follows, what is owed. Pure."""

from shared.saga.deciding import decide
from shared.saga.occurrences import (
    AttemptRecorded,
    Cancelled,
    Compensated,
    Looked,
    Occurrence,
    Receipt,
    ReceiptRecorded,
    Replayed,
    Routed,
    Why,
)
from shared.saga.owed import (
    CommandOwed,
    CompensationOwed,
    EventOwed,
    LookOwed,
    Owed,
    ResultOwed,
    due_now,
    next_look,
    owed,
)
from shared.saga.state import Decision, Delivery, Entry, OnAmbiguous, Plan, RuleOf, Saga, Strategy, What

__all__ = [
    "AttemptRecorded",
    "Cancelled",
    "CommandOwed",
    "Compensated",
    "CompensationOwed",
    "Decision",
    "Delivery",
    "Entry",
    "EventOwed",
    "LookOwed",
    "Looked",
    "Occurrence",
    "OnAmbiguous",
    "Owed",
    "Plan",
    "Receipt",
    "ReceiptRecorded",
    "Replayed",
    "ResultOwed",
    "Routed",
    "RuleOf",
    "Saga",
    "Strategy",
    "What",
    "Why",
    "decide",
    "due_now",
    "next_look",
    "owed",
]
