"""Processes as Linux shows them: stopped, killed, and what is addressed to them that they have not read."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
ESTABLISHED = "01"
CHATTER_BYTES = 12
"""A heartbeat of AMQP (8 bytes) or the end of a channel (12) is no work; a confirm has 21."""


def freeze(pid: int) -> None:
    """Stop a process where it stands (SIGSTOP).

    Raises:
        ProcessLookupError: there is none.
    """
    os.kill(pid, signal.SIGSTOP)


def resume(pid: int) -> None:
    """Let a stopped process go on; one that is gone stays gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def kill(pid: int) -> None:
    """End a process as a power cut would (SIGKILL)."""
    os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    """List the processes that a process started."""
    return [child for child, parent in _parents() if parent == pid]


def title(pid: int) -> str:
    """Read what a process says it is doing; empty when it is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def unread_bytes(pid: int) -> int:
    """Count what the others sent to a process by TCP and it has not read, chatter left out."""
    return sum(line.unread for line in _connections(pid) if line.unread > CHATTER_BYTES)


def local_ports(pid: int) -> set[int]:
    """List this side's ports of a process's open TCP connections."""
    return {line.port for line in _connections(pid)}


@dataclass(frozen=True, slots=True)
class Connection:
    """One open TCP connection: our port, and the bytes that came and were not read."""

    port: int
    unread: int


def _connections(pid: int) -> Iterator[Connection]:
    inodes = _sockets(pid)
    for table in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):
            for line in (PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == ESTABLISHED and fields[9] in inodes:
                    port, unread = fields[1].rpartition(":")[2], fields[4].partition(":")[2]
                    yield Connection(int(port, 16), int(unread, 16))


def _parents() -> Iterator[tuple[int, int]]:
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            with suppress(OSError, IndexError):
                yield int(folder.name), int((folder / "stat").read_text().rpartition(")")[2].split()[1])


def _sockets(pid: int) -> set[str]:
    found = set()
    with suppress(OSError):  # it ended meanwhile
        for descriptor in (PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    return found
