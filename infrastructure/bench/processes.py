"""What Linux says of processes: who started whom, how much processor they used, how much memory they hold."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
CLI = "infrastructure.cli"
KIB_PER_MB = 1024


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one moment. `cpu_seconds` is its own and that of children that it has waited for."""

    parent: int
    cpu_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What processes hold. RSS counts a shared page once for each of them, PSS in parts."""

    rss_mb: float
    pss_mb: float


def parse_stat(text: str, ticks_per_second: int) -> Process:
    """Read one `/proc/PID/stat` (proc(5)); the program's name in it may hold blanks and brackets."""
    fields = text.rpartition(")")[2].split()
    return Process(parent=int(fields[1]), cpu_seconds=sum(map(int, fields[11:15])) / ticks_per_second)


def running() -> dict[int, Process]:
    """List every process of this machine. One that ends meanwhile is left out."""
    ticks_per_second = os.sysconf("SC_CLK_TCK")
    found = {}
    for entry in PROC.iterdir():
        if entry.name.isdecimal():
            try:
                found[int(entry.name)] = parse_stat((entry / "stat").read_text(), ticks_per_second)
            except OSError:
                continue
    return found


def tree(processes: Mapping[int, Process], roots: Iterable[int]) -> set[int]:
    """Find these processes and all that they started, as far as they live."""
    children: dict[int, list[int]] = {}
    for pid, process in processes.items():
        children.setdefault(process.parent, []).append(pid)
    found: set[int] = set()
    left = [root for root in roots if root in processes]
    while left:
        pid = left.pop()
        if pid not in found:
            found.add(pid)
            left += children.get(pid, ())
    return found


def children() -> set[int]:
    """Find what this process has started."""
    return {pid for pid, process in running().items() if process.parent == os.getpid()}


def memory(pids: Iterable[int]) -> Memory:
    """Add up what processes hold."""
    sums: Counter[str] = Counter()
    for pid in pids:
        try:
            text = (PROC / str(pid) / "smaps_rollup").read_text()
        except OSError:  # it ended, or it is not ours to look into
            continue
        sums.update(parse_memory(text))
    return Memory(rss_mb=round(sums["Rss"] / KIB_PER_MB, 1), pss_mb=round(sums["Pss"] / KIB_PER_MB, 1))


def parse_memory(text: str) -> dict[str, int]:
    """Read the two sums of a `smaps_rollup`, in KiB."""
    lines = (line.split() for line in text.splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if words and words[0] in ("Rss:", "Pss:")}


def arguments(pid: int) -> list[str]:
    """Read the command line of a process; empty if it is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def name(command: list[str]) -> str:
    """Name a process of ours after what its command line asks for: `up`, `worker`, `sources`, or a function."""
    after = command[command.index(CLI) + 1 :] if CLI in command else command[:1]
    words = []
    for word in after:
        if word.startswith("-"):
            break
        words += [] if word.isdecimal() else [word]
    return words[-1].rpartition("/")[2] if words else "?"


def names(pids: Iterable[int]) -> dict[int, str]:
    """Name processes; those with the same name are numbered from the second on."""
    seen: Counter[str] = Counter()
    named = {}
    for pid in sorted(pids):
        word = name(arguments(pid))
        seen[word] += 1
        named[pid] = word if seen[word] == 1 else f"{word} {seen[word]}"
    return named
