"""The files around a cluster: its lock, its pid file, its socket."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

from infrastructure.local.postgres_account import Account
from shared.errors import Permanent

DYING_SECONDS = 10
"""How long the Postgres of an owner that was killed may take to end."""

SOCKET = ".s.PGSQL.5432"


class AlreadyRunning(Permanent):
    """Another process runs the Postgres of this data directory."""


def take_lock(path: Path) -> int:
    """Take the lock that every process of a running Postgres shares; wait for one whose owner was killed."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError:
        message = f"{path.parent} belongs to another user: set DATA_DIR to a directory of your own"
        raise AlreadyRunning(message) from None
    deadline = time.monotonic() + DYING_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            owner = os.pread(lock, 20, 0).decode().strip()
            if is_alive(owner) or time.monotonic() > deadline:
                os.close(lock)
                raise AlreadyRunning(
                    f"process {owner or 'of somebody else'} already runs the database in {path.parent}: "
                    "stop it, or set DATA_DIR to another directory"
                ) from None
            time.sleep(0.02)
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def forget_the_dead(cluster: Path) -> None:
    """Remove the pid file of a server that was killed.

    Postgres would believe it whenever the number belongs to some other process by now, as it does in a container.

    Raises:
        AlreadyRunning: a server that somebody started by hand uses the cluster.
    """
    pid_file = cluster / "postmaster.pid"
    if not pid_file.exists():
        return
    pid = pid_file.read_text().partition("\n")[0]
    alive = is_alive(pid)
    if alive and sys.platform == "linux":
        try:
            alive = Path(f"/proc/{pid}/cwd").resolve() == cluster.resolve()
        except OSError:  # not of this account, so not on this cluster
            alive = False
    if alive:
        raise AlreadyRunning(f"process {pid} uses {cluster}: stop it; if it is no Postgres, delete {pid_file}")
    pid_file.unlink()


def socket_directory(home: Path, account: Account) -> Path:
    """Make an empty private directory for the socket: in `home`, else in /tmp.

    A path may be too long for a socket, and some mounted file systems have none.
    """
    directory = home / "run"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    if not _holds_sockets(directory):
        directory.rmdir()
        directory = Path(tempfile.mkdtemp(prefix="carillon-", dir="/tmp"))
    account.give(directory)
    return directory


def _holds_sockets(directory: Path) -> bool:
    if "," in str(directory):  # clients take a comma for the end of a host's name
        return False
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(directory / SOCKET))
        (directory / SOCKET).unlink()
    except OSError:
        return False
    return True


def status(cluster: Path) -> str:
    """Read what the server says of itself: the eighth line of its pid file, as pg_ctl does."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return "absent"
    return lines[7].strip() if len(lines) > 7 else "starting"
