"""Redis, where limits are shared by it."""

from __future__ import annotations

from infrastructure.doctor.findings import Finding, World, ok, warning
from shared.limiting import RedisAway
from shared.limiting.examining import examine

ABOUT = "Redis"


async def look(world: World) -> list[Finding]:
    """Look at it. Nothing stands still without it, so that it is away is no fault."""
    if world.settings.redis_url is None:
        return []
    try:
        return [ok(ABOUT, f"Redis {await examine(world.settings.redis_url.get_secret_value())}")]
    except RedisAway as away:
        return [warning(ABOUT, f"cannot be asked: {away}", "see REDIS_URL; meanwhile each process counts for itself")]
