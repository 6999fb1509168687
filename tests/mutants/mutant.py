"""One planted bug, and how it gets into a tree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class Stale(Exception):
    """The text that a bug is planted into is not there exactly once: the code has moved on, the table must follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A bug of one line: in `file` the one occurrence of `text` becomes `instead`.

    `breaks` says which promise that breaks; `looks_at` which tests are likely to see it, and are run first.
    """

    name: str
    breaks: str
    file: str
    text: str
    instead: str
    looks_at: tuple[str, ...]

    def planted_in(self, source: str) -> str:
        """Return the source with the bug in it.

        Raises:
            Stale: the text is not there exactly once.
        """
        count = source.count(self.text)
        if count != 1:
            raise Stale(f"{self.name}: {self.file} holds its text {count} times, not once: {self.text!r}")
        return source.replace(self.text, self.instead)


def stale(mutants: tuple[Mutant, ...], root: Path) -> list[str]:
    """List the bugs that cannot be planted in a tree, each with the reason."""
    found = []
    for mutant in mutants:
        path = root / mutant.file
        try:
            mutant.planted_in(path.read_text() if path.is_file() else "")
        except Stale as reason:
            found.append(str(reason))
    return found
