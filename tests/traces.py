"""Traces that are only remembered."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.tracing import Attempt, Kind, Span

SAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@dataclass
class Note:
    """A span that is remembered."""

    name: str
    parent: str | None
    about: dict[str, str | int]
    number: int
    ended: list[str] = field(default_factory=list)

    @property
    def traceparent(self) -> str:
        """Name it."""
        return f"00-4bf92f3577b34da6a3ce929d0e0e4736-{self.number:016x}-01"

    def note(self, **about: str | int) -> None:
        """Remember more."""
        self.about |= about

    def end(self, failure: str = "") -> None:
        """Remember how it ended."""
        self.ended.append(failure)


class Notes:
    """Traces that are only remembered."""

    def __init__(self) -> None:
        self.under_way: dict[Attempt, Span] = {}
        self.spans: list[Note] = []

    def begin(self, name: str, parent: str | None, kind: Kind, **about: str | int) -> Span:
        """Remember a new one."""
        self.spans.append(Note(name, parent, dict(about), len(self.spans) + 1))
        return self.spans[-1]

    async def close(self) -> None:
        """Nothing is held."""
