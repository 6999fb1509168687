"""The versions that rendering asks for, kept in the process: a version never changes, so nothing grows stale."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

from shared.store.columns import Integers, Texts, transposed
from shared.store.database import Connection
from shared.templates import TemplateVersion, from_json

Key = tuple[str, str, int]
"""Tenant, name, version."""

KEPT_CHARACTERS = 5_000_000
_READ = """
SELECT v.tenant, v.name, v.version, v.default_language, v.contents
FROM unnest(%b::text[], %b::text[], %b::int[]) AS w(tenant, name, version)
JOIN template_versions v USING (tenant, name, version)
"""


class KnownVersions:
    """Versions of templates, the least recently used leaving first."""

    def __init__(self, characters: int = KEPT_CHARACTERS) -> None:
        self._characters = characters
        self._held = 0
        self._versions: OrderedDict[Key, TemplateVersion] = OrderedDict()

    def get(self, keys: Collection[Key]) -> dict[Key, TemplateVersion]:
        """Find those that are known."""
        found = {key: self._versions[key] for key in keys if key in self._versions}
        for key in found:
            self._versions.move_to_end(key)
        return found

    def put(self, found: dict[Key, TemplateVersion]) -> None:
        """Keep some, and let others go."""
        for key, version in found.items():
            if key not in self._versions:
                self._versions[key] = version
                self._held += version.characters
        while self._held > self._characters and self._versions:
            self._held -= self._versions.popitem(last=False)[1].characters


async def read_versions(
    connection: Connection, known: KnownVersions, keys: Collection[Key]
) -> dict[Key, TemplateVersion]:
    """Find versions: in the process, and with one statement the others."""
    found = known.get(keys)
    unknown = sorted(set(keys) - found.keys())
    if not unknown:
        return found
    columns = transposed((Texts, Texts, Integers), unknown)
    rows = await (await connection.execute(_READ, columns)).fetchall()
    read = {
        (tenant, name, version): TemplateVersion(
            name=name, version=version, default_language=language, contents=from_json(contents)
        )
        for tenant, name, version, language, contents in rows
    }
    known.put(read)
    return found | read
