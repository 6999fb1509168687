"""How a command ends: one table of codes, for scripts, and what leads to each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

import click


class Exit(IntEnum):
    """The code that a command ends with. `docs/cli.md` has the same table."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    UNAVAILABLE = 5
    UNDER_WAY = 6
    INTERRUPTED = 130


MEANINGS: Mapping[Exit, str] = MappingProxyType(
    {
        Exit.DONE: "It is done.",
        Exit.FAILED: "It came to nothing: a notification failed, a line was rejected, there is a fault.",
        Exit.USAGE: "The command, a setting, or what was sent is wrong; the same again is wrong again.",
        Exit.NOT_FOUND: "There is nothing with this id.",
        Exit.REFUSED: "The key is missing, unknown, or may not do this.",
        Exit.UNAVAILABLE: "The server, or the database, stayed away for as long as patience lasted.",
        Exit.UNDER_WAY: "It goes on; the time to wait for it is over.",
        Exit.INTERRUPTED: "Ctrl-C.",
    }
)

OF_STATUS: Mapping[int, Exit] = MappingProxyType(
    {
        400: Exit.USAGE,
        401: Exit.REFUSED,
        403: Exit.REFUSED,
        404: Exit.NOT_FOUND,
        413: Exit.USAGE,
        415: Exit.USAGE,
        422: Exit.USAGE,
    }
)
"""What a refusal of the API leads to; any other status is a failure."""


class Ended(click.ClickException):
    """A command ends here: with words for a person, and a code for a script."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """The same, under click's name for it."""
        return int(self.code)


def misconfigured(message: str) -> Ended:
    """End because a setting is missing or wrong: no use in starting this again as it is."""
    return Ended(Exit.USAGE, message)
