"""The database: whether it is there, fit, up to date, and what waits in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

from infrastructure.doctor.findings import Finding, World, fault, ok, warning
from infrastructure.doctor.machine import room
from infrastructure.local import postgres_account
from infrastructure.local.postgres import USER
from shared.errors import DatabaseUnavailable
from shared.settings import Settings, is_loopback
from shared.store.examining import MOST_COUNTED, DatabaseFacts, Kept, Work, examine

ABOUT = "database"
OLDEST = 14
APART_SECONDS, FAR_APART_SECONDS = 1.0, 30.0
SPARE_CONNECTIONS = 10
DAY_SECONDS = 86_400


async def look(world: World) -> list[Finding]:
    """Look at it."""
    url = world.settings.database_url.get_secret_value() if world.settings.database_url else embedded(world.settings)
    if url is None:
        return [ok(ABOUT, "embedded, and not running: carillon up starts it")]
    try:
        facts = await examine(url)
    except DatabaseUnavailable as away:
        return [fault(ABOUT, f"cannot be asked: {away}", "see DATABASE_URL; is Postgres up?")]
    findings = [part(facts) for part in PARTS]
    if facts.data_directory and _is_here(url):
        findings += _room(Path(facts.data_directory))
    findings += _work(facts.work, world.settings) if facts.work is not None else []
    return findings + ([_kept(facts.kept, world.settings.retention_days)] if facts.kept is not None else [])


def embedded(settings: Settings) -> str | None:
    """Find the embedded one, if it runs: its pid file names its socket."""
    cluster = postgres_account.pointed_at(Path(settings.data_dir).absolute()) / "postgres"
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return None
    return f"postgresql://{USER}@/postgres?host={quote(lines[4], safe='')}&port={lines[3]}" if len(lines) > 4 else None


def _room(place: Path) -> list[Finding]:
    return [room(ABOUT, place)] if place.exists() else []  # a container's path is not ours


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname
    return host is None or is_loopback(host)


def _version(facts: DatabaseFacts) -> Finding:
    major = facts.version // 10_000
    found = f"Postgres {major}.{facts.version % 10_000}"
    return ok(ABOUT, found) if major >= OLDEST else fault(ABOUT, found, f"Postgres {OLDEST} or newer is needed")


def _writable(facts: DatabaseFacts) -> Finding:
    if facts.is_read_only:
        return fault(ABOUT, "it takes no changes: it is a standby, or read-only", "point DATABASE_URL to the primary")
    return ok(ABOUT, "it takes changes")


def _durable(facts: DatabaseFacts) -> Finding:
    found = f"synchronous_commit is {facts.synchronous_commit}"
    if facts.synchronous_commit == "off":
        return fault(ABOUT, f"{found}: what was answered with 202 can be lost", "set it to on")
    return ok(ABOUT, found)


def _clock(facts: DatabaseFacts) -> Finding:
    apart = abs(facts.clock_ahead_seconds)
    found = f"its clock and ours are {apart:.1f} s apart"
    if apart > FAR_APART_SECONDS:
        return fault(ABOUT, found, "set both by NTP: tokens and times of sending go wrong")
    return warning(ABOUT, found, "set both by NTP") if apart > APART_SECONDS else ok(ABOUT, found)


def _connections(facts: DatabaseFacts) -> Finding:
    found = f"{facts.connections} of {facts.most_connections} connections are taken"
    if facts.most_connections - facts.connections < SPARE_CONNECTIONS:
        return warning(ABOUT, found, "raise max_connections, or lower DATABASE_POOL_MAX")
    return ok(ABOUT, found)


def _schema(facts: DatabaseFacts) -> Finding:
    if facts.changed:
        return fault(ABOUT, facts.changed, "this is not the release that made the schema")
    if facts.missing:
        return fault(
            ABOUT, f"{len(facts.missing)} migrations are missing, from {facts.missing[0]} on", "carillon migrate"
        )
    return ok(ABOUT, "its schema is up to date")


PARTS: tuple[Callable[[DatabaseFacts], Finding], ...] = (_version, _writable, _durable, _clock, _connections, _schema)


def _work(work: Work, settings: Settings) -> list[Finding]:
    """Tell what waits, over all tenants."""
    findings = []
    if work.overdue:
        found = f"{_count(work.overdue)} should have been looked at by the sweep two minutes ago"
        findings.append(fault(ABOUT, found, "does sweep run? docs/runbook.md"))
    elif work.stuck:
        found = f"{_count(work.stuck)} notifications have waited for a step for two minutes"
        findings.append(warning(ABOUT, found, "does orchestrate run, and is the broker up? docs/runbook.md"))
    else:
        findings.append(ok(ABOUT, "nothing is stuck"))
    backlog = f"{_count(work.backlog)} under way"
    is_near = work.backlog >= min(MOST_COUNTED, settings.intake_backlog_max // 2)
    findings.append(
        warning(ABOUT, backlog, "the intake turns away at INTAKE_BACKLOG_MAX") if is_near else ok(ABOUT, backlog)
    )
    letters = f"{_count(work.open_dead_letters)} open dead letter{'' if work.open_dead_letters == 1 else 's'}"
    findings.append(
        warning(ABOUT, letters, "carillon dead-letters, carillon replay")
        if work.open_dead_letters
        else ok(ABOUT, letters)
    )
    return findings


def _kept(kept: Kept, days: int) -> Finding:
    """Tell how old the oldest is that has ended, and whether it is deleted in time."""
    oldest = kept.oldest_seconds
    if oldest is None:
        return ok(ABOUT, "nothing has ended yet")
    found = f"the oldest that has ended is {oldest / DAY_SECONDS:,.0f} days old"
    if not days:
        return ok(ABOUT, f"{found}; it is kept for ever, as RETENTION_DAYS is not set")
    has_gone_on = kept.round_seconds_ago is not None and kept.round_seconds_ago < DAY_SECONDS
    if oldest < (days + 1) * DAY_SECONDS or has_gone_on:
        return ok(ABOUT, f"{found}; what nobody needs any more is deleted after {days}")
    return warning(
        ABOUT, f"{found}, and nothing begins to delete it after {days}", "is RETENTION_DAYS set where sweep runs?"
    )


def _count(number: int) -> str:
    return f"{MOST_COUNTED:,} or more" if number >= MOST_COUNTED else f"{number:,}"
