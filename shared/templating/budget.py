"""What one rendering may cost. Everything whose cost depends on the data pays before it works."""

from __future__ import annotations

from contextvars import ContextVar

from shared.templating.failures import RenderingFailed

UNITS = 50_000
"""A unit is a node of the syntax tree that is worked on once, or `CHARACTERS` of text: all of them are some 50 ms."""

CHARACTERS = 64
LONGEST_VALUE = 100_000
"""No expression makes a longer text."""

TOO_MUCH_WORK = f"it takes more than {UNITS} steps"


class Budget:
    """The units that are left for one rendering."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = UNITS


CURRENT: ContextVar[Budget] = ContextVar("the budget of the rendering under way")


def spend(units: int) -> None:
    """Pay.

    Raises:
        RenderingFailed: nothing is left.
    """
    budget = CURRENT.get()
    budget.left -= units
    if budget.left < 0:
        raise RenderingFailed(TOO_MUCH_WORK)


def spend_on(text: str) -> str:
    """Pay for a text that is gone through or made, and pass it on."""
    spend(1 + len(text) // CHARACTERS)
    return text


def bear(length: int) -> None:
    """Refuse a text before it is made.

    Raises:
        RenderingFailed: it would be too long.
    """
    if length > LONGEST_VALUE:
        raise RenderingFailed(f"it would make a text of more than {LONGEST_VALUE} characters")
    spend(1 + length // CHARACTERS)
