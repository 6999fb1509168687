"""Choose who runs Postgres, and where that account can reach its files.

Postgres refuses to run as root. Root therefore lends it an account that exists already; none is created, and no
directory that exists already gets another mode. Somebody who is not root runs it as themselves.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import Permanent

SYSTEM_DIR = Path("/var/lib/carillon")
"""Where root keeps what an unprivileged account could not reach elsewhere."""

POINTER = "postgres.elsewhere"


class Unreachable(Permanent):
    """There is no place, or no account, with which an unprivileged Postgres could run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user and a group to run as; `None` stays who we are."""

    uid: int | None = None
    gid: int | None = None

    def arguments(self) -> dict[str, Any]:
        """List what `subprocess` needs to run a command as this account."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        """Make this account the owner of a file, or of a directory and all that is in it."""
        if self.uid is None or self.gid is None or path.stat().st_uid == self.uid:
            return
        for folder, _, files in os.walk(path):
            for name in (folder, *(os.path.join(folder, file) for file in files)):
                os.chown(name, self.uid, self.gid, follow_symlinks=False)

    def reaches(self, directory: Path, *, program: str = ".") -> bool:
        """Tell whether this account may go into a directory, and run a program there."""
        if self.uid is None:
            return True
        look = ["/bin/sh", "-c", 'cd "$1" && [ -x "$2" ]', "sh", str(directory), program]
        return subprocess.run(look, cwd="/", stderr=subprocess.DEVNULL, **self.arguments()).returncode == 0


def choose(cluster: Path) -> Account:
    """Choose the account: the owner of the cluster that is there, else `nobody`, else any that is not root.

    Raises:
        Unreachable: this machine knows no account but root.
    """
    if os.geteuid() != 0:
        return Account()
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return Account(uid=owner.st_uid, gid=owner.st_gid)
    # initdb looks its own user up, so a number without an entry would not do.
    entries = sorted(pwd.getpwall(), key=lambda entry: entry.pw_name != "nobody")
    for entry in entries:
        if entry.pw_uid != 0:
            return Account(uid=entry.pw_uid, gid=entry.pw_gid)
    raise Unreachable("Postgres does not run as root, and there is no other account: run as another user")


def make_directory(path: Path) -> None:
    """Make a directory and its missing parents; when we are root, such that any account can pass through."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        path.chmod(0o711)  # whatever the umask says; what is inside has a mode of its own


def make_temporary_directory(prefix: str) -> Path:
    """Make a temporary directory in which an embedded Postgres can run, whoever we are; the caller removes it."""
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    if os.geteuid() == 0:
        directory.chmod(0o711)  # else root's Postgres would have to live elsewhere, and stay when this is removed
    return directory


def pointed_at(data_dir: Path) -> Path:
    """Read where the cluster of a data directory lives: in it, or where an earlier start had to put it."""
    pointer = data_dir / POINTER
    return Path(pointer.read_text().strip()) if pointer.exists() else data_dir


def place(data_dir: Path, account: Account) -> Path:
    """Find a directory that the account can reach, and leave a pointer to it when it is not `data_dir` itself.

    Raises:
        Unreachable: nothing can be made where the account could reach it.
    """
    home = pointed_at(data_dir)
    if home == data_dir and not account.reaches(data_dir):
        home = SYSTEM_DIR / hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    try:
        make_directory(home)
    except OSError as refused:
        raise Unreachable(
            f"uid {account.uid} cannot reach {data_dir}, and {home} cannot be made ({refused.strerror}): "
            "set DATA_DIR to a directory whose parents everybody may enter"
        ) from None
    if home != data_dir:
        (data_dir / POINTER).write_text(f"{home}\n")
    return home
