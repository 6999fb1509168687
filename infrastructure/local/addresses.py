"""Where functions are that run in processes of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Some by their names; all others by one pattern, in which `{name}` stands for the name."""

    named: Mapping[str, str] = field(default_factory=dict)
    pattern: str | None = None

    def of(self, names: Iterable[str]) -> dict[str, str]:
        """Return the address of each that has one."""
        found = {name: self.pattern.replace("{name}", name) for name in names} if self.pattern else {}
        return found | dict(self.named)
