"""What a check finds, and what it is given to look at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from shared.settings import Settings


class Verdict(StrEnum):
    """How it is."""

    OK = "ok"
    WARNING = "warning"  # it works, and somebody should know
    FAULT = "fault"  # it does not work, or will not


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line: what it is about, what was found, and what to do. None of it is a secret."""

    about: str
    verdict: Verdict
    found: str
    remedy: str = ""

    def document(self) -> dict[str, str]:
        """Write it for a script."""
        return {"about": self.about, "verdict": self.verdict.value, "found": self.found, "remedy": self.remedy}


def ok(about: str, found: str) -> Finding:
    """Say that something is well."""
    return Finding(about=about, verdict=Verdict.OK, found=found)


def warning(about: str, found: str, remedy: str = "") -> Finding:
    """Say that something is strange."""
    return Finding(about=about, verdict=Verdict.WARNING, found=found, remedy=remedy)


def fault(about: str, found: str, remedy: str = "") -> Finding:
    """Say that something does not work."""
    return Finding(about=about, verdict=Verdict.FAULT, found=found, remedy=remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What there is to look at: the settings, those that are wrong with the reason, and the server's address."""

    settings: Settings
    wrong: tuple[tuple[str, str], ...] = ()
    url: str = ""
    is_url_said: bool = False
    key: str = field(default="", repr=False)


Look = Callable[[World], Awaitable[list[Finding]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A look at one thing, and how long it may take."""

    about: str
    look: Look
    seconds: float = 12.0
