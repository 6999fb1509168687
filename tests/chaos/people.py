"""Who is written to: fates at the mail server, workflows, and how each notification ends by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EACH = 10
"""So many people share a fate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A sort of notification. `fate` is the mail server's, see `infrastructure/sandbox/recipients.py`.

    `reaches` are the channels over which it is sent when nothing is struck; none: it fails. `is_honest` is whether the
    mail server always tells what it did. `waits_seconds` is how long its retries last.
    """

    name: str
    fate: str
    weight: int
    channels: tuple[str, ...] = ("email",)
    reaches: tuple[str, ...] = ("email",)
    is_honest: bool = True
    waits_seconds: float = 1.0
    rule: Mapping[str, Any] = field(default_factory=dict)

    @property
    def event_type(self) -> str:
        """The event type whose workflow it follows."""
        return f"chaos.{self.name}"

    @property
    def workflow(self) -> dict[str, Any]:
        """The workflow as it is posted."""
        return {"channels": list(self.channels), **self.rule}

    def user(self, number: int) -> str:
        """Name one of the people."""
        return f"{self.name}-{number % EACH}"

    def address(self, number: int) -> str:
        """Write the address of one of the people."""
        return f"{self.fate}+{number % EACH}@example.test"

    @property
    def has_inbox(self) -> bool:
        """Whether it may end in an inbox."""
        return "websocket" in self.channels


BOTH = ("email", "websocket")

KINDS: tuple[Kind, ...] = (
    Kind(name="accepted", fate="person", weight=44),
    Kind(name="slow", fate="slow", weight=8, waits_seconds=2),
    Kind(name="fails-once", fate="fails-1", weight=8, waits_seconds=4),
    Kind(name="fails-twice", fate="fails-2", weight=4, waits_seconds=9),
    Kind(name="fails-thrice", fate="fails-3", weight=3, waits_seconds=18),
    Kind(name="cut", fate="cut", weight=4, is_honest=False, waits_seconds=4),
    Kind(name="refused", fate="full", weight=7, reaches=()),
    Kind(name="refused-then-inbox", fate="spam", weight=6, channels=BOTH, reaches=("websocket",)),
    Kind(name="inbox", fate="person", weight=9, channels=("websocket",), reaches=("websocket",)),
    Kind(
        name="inbox-then-mail",
        fate="person",
        weight=4,
        channels=("websocket", "email"),
        reaches=("websocket", "email"),
        waits_seconds=5,
        rule={"unless_delivered_within_seconds": {"websocket": 2}},
    ),
    Kind(name="patient", fate="fails-1", weight=2, waits_seconds=20, rule={"retry_seconds": [16, 4, 8]}),
    Kind(name="very-patient", fate="fails-1", weight=1, waits_seconds=70, rule={"retry_seconds": [61, 4, 8]}),
)


def chosen(longest_wait_seconds: float) -> tuple[Kind, ...]:
    """List the kinds whose retries last no longer."""
    return tuple(kind for kind in KINDS if kind.waits_seconds <= longest_wait_seconds)
