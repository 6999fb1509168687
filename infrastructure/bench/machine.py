"""The machine under the benchmark: what it does beside it, and how fast it is just now."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

SPINS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticks:
    """Processor time of the whole machine so far, in seconds.

    Interrupts (most of them our own loopback traffic) belong to no process, so they are apart. `stolen` is what a
    hypervisor gave to somebody else.
    """

    processes: float
    interrupts: float
    stolen: float

    def since(self, before: Ticks) -> Ticks:
        """Tell what was used since."""
        return Ticks(
            processes=self.processes - before.processes,
            interrupts=self.interrupts - before.interrupts,
            stolen=self.stolen - before.stolen,
        )


def parse_ticks(line: str, ticks_per_second: int) -> Ticks:
    """Read the first line of `/proc/stat` (proc(5))."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = (
        int(word) / ticks_per_second for word in line.split()[1:9]
    )
    return Ticks(processes=user + nice + system, interrupts=irq + softirq, stolen=steal)


def ticks() -> Ticks:
    """Read the machine's processor time."""
    return parse_ticks(Path("/proc/stat").read_text().partition("\n")[0], os.sysconf("SC_CLK_TCK"))


def spin_ms() -> float:
    """Time a fixed piece of work: it takes longer when the processor is slower, or not ours alone."""
    began = time.perf_counter()
    total = 0
    for number in range(SPINS):
        total += number & 7
    return round((time.perf_counter() - began) * 1000, 1)


def cores() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0))
