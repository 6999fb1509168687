"""Templates in memory: as much as routing and rendering need."""

from __future__ import annotations

from shared.store.templates import Revise, Templates
from shared.templates import TemplateVersion
from tests.simulation.store.engine import Memory, Transaction


class MemoryTemplates(Templates):
    """The room of what tenants say in their own words."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def add(
        self, tenant: str, name: str, revise: Revise, *, publish: bool, made_by: str
    ) -> tuple[TemplateVersion, bool]:
        """Make a version of the latest one, and publish it or not."""
        return await self._memory.run(lambda tx: _add(tx, (tenant, name), revise, publish=publish))

    async def published(self, tenant: str, name: str) -> int | None:
        """Read which version new notifications get."""
        return self._memory.templates.rows.get((tenant, name))

    async def publish(self, tenant: str, name: str, version: int | None) -> int | None:
        """Let new notifications get a version."""
        if version is not None:
            await self._memory.run(lambda tx: tx.put(tx.memory.templates, (tenant, name), version))
        return version


def _add(tx: Transaction, key: tuple[str, str], revise: Revise, *, publish: bool) -> tuple[TemplateVersion, bool]:
    known = [version for (*owner, _), version in tx.all(tx.memory.template_versions).items() if tuple(owner) == key]
    base = known[-1] if known else None
    draft = revise(base)
    language = draft.default_language or (base.default_language if base else "en")
    made = TemplateVersion(name=key[1], version=len(known) + 1, default_language=language, contents=draft.contents)
    tx.put(tx.memory.template_versions, (*key, made.version), made)
    if publish:
        tx.put(tx.memory.templates, key, made.version)
    return made, True
