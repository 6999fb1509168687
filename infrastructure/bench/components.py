"""What runs during a measurement, in parts, and the processor time that each part used."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from infrastructure.bench import machine, processes
from infrastructure.bench.machine import Ticks
from infrastructure.bench.processes import Memory, Process

RUNTIME, POSTGRES, RABBITMQ, BENCH = PARTS = "runtime", "Postgres", "RabbitMQ", "sink and load"

Roots = Mapping[str, frozenset[int]]
"""The processes that each part began with; what they start belongs to it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One look at the clock, the machine, and every process of the parts."""

    at: float
    ticks: Ticks
    own_seconds: float
    cpu_seconds: Mapping[str, Mapping[int, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was used between two readings. `noise_cores` is what others on this machine used."""

    seconds: float
    cpu_seconds: dict[str, float]
    runtime_cpu_seconds: dict[str, float]
    cores_used: float
    noise_cores: float
    interrupt_cores: float
    stolen_cores: float


def read(roots: Roots) -> Reading:
    """Look once."""
    running = processes.running()
    return Reading(
        at=time.monotonic(),
        ticks=machine.ticks(),
        own_seconds=time.process_time(),
        cpu_seconds={part: _cpu_seconds(running, pids) for part, pids in roots.items()},
    )


def _cpu_seconds(running: Mapping[int, Process], roots: Iterable[int]) -> dict[int, float]:
    return {pid: running[pid].cpu_seconds for pid in processes.tree(running, roots)}


def used(before: Reading, after: Reading, names: Mapping[int, str]) -> Usage:
    """Tell what was used between two readings; `names` are those of the runtime's processes.

    A process that ended in between is counted in the one that waited for it.
    """
    seconds = after.at - before.at
    parts = {
        part: sum(now.values()) - sum(before.cpu_seconds.get(part, {}).values())
        for part, now in after.cpu_seconds.items()
    }
    parts[BENCH] = parts.get(BENCH, 0.0) + after.own_seconds - before.own_seconds
    earlier = before.cpu_seconds.get(RUNTIME, {})
    by_process = {
        names.get(pid, str(pid)): round(now - earlier.get(pid, 0.0), 2)
        for pid, now in after.cpu_seconds.get(RUNTIME, {}).items()
    }
    total, machine_used = sum(parts.values()), after.ticks.since(before.ticks)
    return Usage(
        seconds=round(seconds, 3),
        cpu_seconds={part: round(used, 2) for part, used in parts.items()},
        runtime_cpu_seconds=dict(sorted(by_process.items())),
        cores_used=round(total / seconds, 2),
        noise_cores=round(max(0.0, machine_used.processes - total) / seconds, 2),
        interrupt_cores=round(machine_used.interrupts / seconds, 2),
        stolen_cores=round(machine_used.stolen / seconds, 2),
    )


def memories(roots: Roots) -> dict[str, Memory]:
    """Tell what each part holds now."""
    running = processes.running()
    return {part: processes.memory(processes.tree(running, pids)) for part, pids in roots.items()}
