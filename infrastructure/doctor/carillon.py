"""A Carillon that runs: whether it answers, stands on its feet, is of this version, and takes our key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infrastructure.doctor.asking import get, unreachable
from infrastructure.doctor.findings import Finding, World, fault, ok, warning
from shared.http_call import Reply, Silence
from shared.version import VERSION

ABOUT = "Carillon"


async def look(world: World) -> list[Finding]:
    """Look at it, if there is one."""
    answer = await get(f"{world.url}/health", {})
    if isinstance(answer, Silence):
        found = unreachable(ABOUT, f"{world.url}", answer)
        return [found if world.is_url_said else warning(ABOUT, f"none runs at {world.url}", "carillon up starts one")]
    if answer.status != 200 or (answer.document or {}).get("status") != "ok":
        return [
            fault(ABOUT, f"what answers at {world.url} is no Carillon ({answer.status})", "see --url, CARILLON_URL")
        ]
    return [
        ok(ABOUT, f"answers at {world.url}"),
        *_readiness(await get(f"{world.url}/health/ready", {})),
        *await _me(world),
    ]


def _readiness(answer: Reply | Silence) -> list[Finding]:
    if isinstance(answer, Silence):
        return [unreachable(ABOUT, "its readiness", answer)]
    said = answer.document or {}
    if said.get("status") == "ok":
        return [ok(ABOUT, "database and broker are at hand")]
    away = [part for part in ("database", "broker") if not said.get(part)]
    say = fault if "database" in away else warning
    return [say(ABOUT, f"it is {said.get('status', answer.status)}: without {' and '.join(away)}", "docs/runbook.md")]


async def _me(world: World) -> list[Finding]:
    """Ask who we are to it; an older one does not tell, and shows by any answer whether it takes the key."""
    headers = {"X-API-Key": world.key} if world.key else {}
    answer = await get(f"{world.url}/auth/me", headers)
    if isinstance(answer, Reply) and answer.status == 404:
        answer = await get(f"{world.url}/api/v1/notifications?limit=1", headers)
    if isinstance(answer, Silence):
        return [unreachable(ABOUT, "who we are", answer)]
    if answer.status in (401, 403):
        if world.key:
            return [fault(ABOUT, f"it refuses the key ({answer.status})", "see CARILLON_API_KEY; carillon keys create")]
        return [warning(ABOUT, "it wants a key", "set CARILLON_API_KEY, or --key-file")]
    if answer.status != 200:
        return [warning(ABOUT, f"it does not say who we are ({answer.status})", "is it of this version?")]
    return _who(answer.document or {})


def _who(said: Mapping[str, Any]) -> list[Finding]:
    version = said.get("version")
    if version is None:
        return [warning(ABOUT, "it takes the key, and does not tell its version", "is it older than this?")]
    findings = [ok(ABOUT, f"version {version}, as here")]
    if version != VERSION:
        findings = [
            warning(ABOUT, f"it is version {version}, and this is {VERSION}", "use the command line of its release")
        ]
    if said.get("is_open"):
        return [*findings, ok(ABOUT, "its API is open, no key needed")]
    scopes = ", ".join(said.get("scopes") or ()) or "none"
    return [*findings, ok(ABOUT, f"the key is good: tenant {said.get('tenant')}, scopes {scopes}")]
