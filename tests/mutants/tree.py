"""A private copy of the checkout, into which bugs are planted one after the other."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parents[2]

LINKED = (".tools",)
"""What was unpacked for the checkout serves its copies too."""


class Tree:
    """One copy. What is not tracked and not ignored is part of it, so that work under way can be checked as well."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seconds = itertools.count(int(time.time()) + 1)

    @classmethod
    @contextmanager
    def copied(cls, root: Path = ROOT) -> Iterator[Tree]:
        """Copy a checkout; the copy goes when this ends."""
        folder = Path(tempfile.mkdtemp(prefix="carillon-mutants-")).resolve()
        try:
            for name in files_of(root):
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, target)
            for name in LINKED:
                if (root / name).exists():
                    (folder / name).symlink_to(root / name)
            yield cls(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def planted(self, mutant: Mutant) -> Iterator[Path]:
        """Plant a bug for a while.

        Raises:
            Stale: its text is not there exactly once.
        """
        path = self.folder / mutant.file
        source = path.read_text()
        self._write(path, mutant.planted_in(source))
        try:
            yield self.folder
        finally:
            self._write(path, source)
            shutil.rmtree(self.folder / ".hypothesis", ignore_errors=True)  # what one bug taught is not for the next

    def _write(self, path: Path, source: str) -> None:
        path.write_text(source)
        # Each version has a second of its own: compiled code is found again by the time of its source.
        second = next(self._seconds)
        os.utime(path, (second, second))


def files_of(root: Path) -> list[str]:
    """List what makes up a checkout: what git tracks, and what it would track."""
    command = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    said = subprocess.run(command, cwd=root, capture_output=True, check=True, text=True).stdout
    return [name for name in said.split("\0") if name and (root / name).is_file()]
