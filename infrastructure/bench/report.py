"""What is printed: the measurements side by side, and how two campaigns compare."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict

from infrastructure.bench import machine
from infrastructure.bench.campaign import SATURATED, STEADY, Campaign
from infrastructure.bench.measurement import Measurement, Traffic
from infrastructure.bench.options import Options
from infrastructure.bench.percentiles import Percentiles
from infrastructure.bench.table import Row, lay_out
from shared.version import VERSION

MOST_NOISE_CORES = 0.2

COMPARED: dict[str, tuple[str, Callable[[Measurement], float | None]]] = {
    "saturated, per second": (SATURATED, lambda found: found.traffic.per_second if found.traffic else None),
    "saturated, CPU ms each": (SATURATED, lambda found: found.cpu_ms_each.get("all")),
    "saturated, POST to mail p50, ms": (SATURATED, lambda found: _point(found, "p50")),
    "at a rate, POST to mail p50, ms": (STEADY, lambda found: _point(found, "p50")),
    "at a rate, POST to mail p99, ms": (STEADY, lambda found: _point(found, "p99")),
    "at a rate, CPU ms each": (STEADY, lambda found: found.cpu_ms_each.get("all")),
}


def _at(found: Percentiles | None, point: str) -> float | None:
    return float(getattr(found, point)) if found else None


FIGURES: dict[str, Callable[[Traffic], object]] = {
    "accepted": lambda traffic: traffic.accepted,
    "seconds, first POST to last row": lambda traffic: traffic.seconds,
    "per second": lambda traffic: traffic.per_second,
    "POST, ms, p50": lambda traffic: _at(traffic.post_ms, "p50"),
    "POST, ms, p95": lambda traffic: _at(traffic.post_ms, "p95"),
    "POST, ms, p99": lambda traffic: _at(traffic.post_ms, "p99"),
    "POST, ms, max": lambda traffic: _at(traffic.post_ms, "max"),
    "POST to mail, ms, p50": lambda traffic: _at(traffic.mail_ms, "p50"),
    "POST to mail, ms, p95": lambda traffic: _at(traffic.mail_ms, "p95"),
    "POST to mail, ms, p99": lambda traffic: _at(traffic.mail_ms, "p99"),
    "POST to mail, ms, max": lambda traffic: _at(traffic.mail_ms, "max"),
    "lost: accepted, no mail": lambda traffic: traffic.lost,
    "unsent: accepted, no row as sent": lambda traffic: traffic.unsent,
    "duplicates": lambda traffic: traffic.duplicates,
    "not accepted": lambda traffic: traffic.refused,
    "mails to somebody else": lambda traffic: traffic.misdirected,
    "mails of nothing that was posted": lambda traffic: traffic.strays,
    "sent late by the load, ms, p99": lambda traffic: _at(traffic.late_ms, "p99"),
}


def text(options: Options, campaigns: Sequence[Campaign]) -> str:
    """Write everything for a person."""
    parts = [_heading(options)]
    for one in campaigns:
        title = f"with {one.history:,} ended notifications" if one.history else "with empty tables"
        parts.append(f"{title}\n\n{lay_out(rows(one.measurements))}")
        parts += [f"Distrust this: others used {noise:.1f} cores." for noise in _noises(one)[:1]]
    if compared := _compared(campaigns):
        parts.append(lay_out([("", ["empty", f"{campaigns[-1].history:,}", "ratio"]), *compared]))
    return "\n\n".join(parts)


def document(options: Options, campaigns: Sequence[Campaign]) -> str:
    """Write everything for a program."""
    found = {
        "version": VERSION,
        "cores": machine.cores(),
        "options": asdict(options),
        "campaigns": [asdict(one) for one in campaigns],
        "comparison": {label: list(cells) for label, cells in _compared(campaigns)},
    }
    return json.dumps(found, indent=2, default=str) + "\n"


def _heading(options: Options) -> str:
    broker = "broker in the process" if options.embedded else "RabbitMQ"
    sink = f"answers after {options.latency_ms:g} ms" if options.latency_ms else "answers at once"
    command = " ".join(["carillon up", *options.shape])
    return f"Carillon {VERSION}: {command}; {broker}; {machine.cores()} cores; the mail server {sink}"


def _noises(one: Campaign) -> list[float]:
    """List how much others used where that was too much, most first."""
    noises = (found.usage.noise_cores for found in one.measurements.values())
    return sorted((noise for noise in noises if noise > MOST_NOISE_CORES), reverse=True)


def rows(measurements: Mapping[str, Measurement]) -> list[Row]:
    """Put measurements side by side, a figure a row."""
    found = list(measurements.values())
    return [("", list(measurements)), *_traffic(found), *_usage(found), *_memory(found)]


def _traffic(found: Sequence[Measurement]) -> Iterable[Row]:
    for label, figure in FIGURES.items():
        yield label, [figure(one.traffic) if one.traffic else None for one in found]


def _usage(found: Sequence[Measurement]) -> Iterable[Row]:
    yield "cores used", [one.usage.cores_used for one in found]
    for part in _keys(one.usage.cpu_seconds for one in found):
        yield f"CPU s, {part}", [one.usage.cpu_seconds.get(part) for one in found]
    processes = _keys(one.usage.runtime_cpu_seconds for one in found)
    for name in processes if len(processes) > 1 else ():
        yield f"CPU s, runtime, {name}", [one.usage.runtime_cpu_seconds.get(name) for one in found]
    for part in _keys(one.cpu_ms_each for one in found):
        yield f"CPU ms each, {part}", [one.cpu_ms_each.get(part) for one in found]
    for step in _keys(one.set_sizes for one in found):
        yield f"set size, {step}", [one.set_sizes.get(step) for one in found]
    yield "cores used by others", [one.usage.noise_cores for one in found]
    yield "cores used by interrupts", [one.usage.interrupt_cores for one in found]
    yield "cores stolen", [one.usage.stolen_cores for one in found]
    yield "fixed work before, ms", [one.spin_ms[0] for one in found]
    yield "fixed work after, ms", [one.spin_ms[1] for one in found]


def _memory(found: Sequence[Measurement]) -> Iterable[Row]:
    for part in _keys(one.memory for one in found):
        held = [one.memory.get(part) for one in found]
        yield f"RSS, MB, {part}", [memory and memory.rss_mb for memory in held]
        yield f"PSS, MB, {part}", [memory and memory.pss_mb for memory in held]


def _keys(found: Iterable[Mapping[str, object]]) -> list[str]:
    return list(dict.fromkeys(key for one in found for key in one))


def _point(found: Measurement, point: str) -> float | None:
    return _at(found.traffic.mail_ms, point) if found.traffic else None


def _compared(campaigns: Sequence[Campaign]) -> list[Row]:
    """Put two campaigns side by side, each figure with its ratio; nothing for one alone."""
    found: list[Row] = []
    if len(campaigns) == 2:
        before, after = (one.measurements for one in campaigns)
        for label, (name, figure) in COMPARED.items():
            if name in before and name in after:
                first, second = figure(before[name]), figure(after[name])
                found.append((label, [first, second, second / first if first and second else None]))
    return found
