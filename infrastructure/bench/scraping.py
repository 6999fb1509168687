"""The metrics of each of the runtime's processes.

A function with a process of its own has an address of its own. Several processes on one address answer as they please,
so the kernel is asked which of them answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from infrastructure.bench import processes
from infrastructure.bench.set_sizes import Sums, parse

DEADLINE_SECONDS = 10.0
TRIES_EACH = 4
_SERVICE = re.compile(r"[\w-]+=(http://\S+)")


def scrape(url: str, pids: Iterable[int]) -> dict[int, Sums]:
    """Ask the runtime at this address, which is these processes; return what each of them told."""
    runtime = list(pids)
    found = {}
    for address in _addresses(runtime) or [url] * (TRIES_EACH * len(runtime) if len(runtime) > 1 else 1):
        answer = _ask(address, runtime)
        if answer:
            found[answer[0]] = answer[1]
    return found


def _addresses(pids: Iterable[int]) -> list[str]:
    """Find the addresses of functions, which the process that brings them events was told."""
    words = [word for pid in pids for word in processes.arguments(pid)]
    return sorted({match[1] for word in words if (match := _SERVICE.fullmatch(word))})


def _ask(url: str, pids: Iterable[int]) -> tuple[int, Sums] | None:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=DEADLINE_SECONDS)
    try:
        connection.connect()
        ours, theirs = connection.sock.getsockname()[1], connection.sock.getpeername()[1]
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        pid = _holder(find_inode(Path("/proc/net/tcp").read_text(), theirs, ours), pids)
        return (pid, parse(text)) if pid else None
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def find_inode(table: str, local_port: int, remote_port: int) -> str | None:
    """Find the socket with these ports in `/proc/net/tcp` (proc(5)); None if it is not there."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        ports = [int(field.rpartition(":")[2], 16) for field in fields[1:3]]
        if ports == [local_port, remote_port]:
            return fields[9]
    return None


def _holder(inode: str | None, pids: Iterable[int]) -> int | None:
    for pid in pids:
        try:
            links = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        if f"socket:[{inode}]" in links:
            return pid
    return None
