"""Templates: versions that stay as they are, and which one is published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from shared.statuses import Channel
from shared.store.database import Connection, Database
from shared.templates import Template, TemplateVersion, from_json, to_json

Contents = dict[Channel, dict[str, Template]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a version is made of."""

    default_language: str | None
    contents: Contents


Revise = Callable[[TemplateVersion | None], Draft]
"""Make the next version of the one before, if there is one. Pure: it may be called again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A template as a list shows it; `languages` are those of its published version, else of its latest."""

    name: str
    published: int | None
    latest: int
    languages: Mapping[str, list[str]]
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One version in the list of versions."""

    version: int
    is_published: bool
    made_by: str
    created_at: datetime


_LOCK = """
INSERT INTO templates (tenant, name) VALUES (%s, %s)
ON CONFLICT (tenant, name) DO UPDATE SET updated_at = templates.updated_at
RETURNING published, latest, is_deleted
"""
_INSERT = """
INSERT INTO template_versions (tenant, name, version, default_language, contents, made_by)
VALUES (%s, %s, %s, %s, %s, %s)
"""
_MOVE = """
UPDATE templates SET latest = %s, published = COALESCE(%s, published), is_deleted = false,
    updated_at = clock_timestamp()
WHERE tenant = %s AND name = %s
"""
_VERSION = """
SELECT name, version, default_language, contents FROM template_versions
WHERE tenant = %s AND name = %s AND version = %s
"""
_CURRENT = """
SELECT v.name, v.version, v.default_language, v.contents, t.published, t.latest, t.updated_at
FROM templates t
JOIN template_versions v ON v.tenant = t.tenant AND v.name = t.name AND v.version = COALESCE(t.published, t.latest)
WHERE t.tenant = %s AND t.name = %s AND NOT t.is_deleted
"""
_PUBLISHED = "SELECT published FROM templates WHERE tenant = %s AND name = %s"
_LIST = """
SELECT t.name, t.published, t.latest, t.updated_at,
       (SELECT jsonb_object_agg(c.key, (SELECT jsonb_agg(l ORDER BY l) FROM jsonb_object_keys(c.value) AS l))
        FROM jsonb_each(v.contents) AS c)
FROM templates t
JOIN template_versions v ON v.tenant = t.tenant AND v.name = t.name AND v.version = COALESCE(t.published, t.latest)
WHERE t.tenant = %s AND t.name > %s AND NOT t.is_deleted
ORDER BY t.name LIMIT %s
"""
_VERSIONS = """
SELECT v.version, v.version IS NOT DISTINCT FROM t.published, v.made_by, v.created_at
FROM templates t JOIN template_versions v ON v.tenant = t.tenant AND v.name = t.name
WHERE t.tenant = %s AND t.name = %s AND v.version < %s ORDER BY v.version DESC LIMIT %s
"""
_PUBLISH = """
UPDATE templates t SET published = v.version, is_deleted = false, updated_at = clock_timestamp()
FROM template_versions v
WHERE t.tenant = %s AND t.name = %s AND v.tenant = t.tenant AND v.name = t.name AND v.version = COALESCE(%s, t.latest)
RETURNING v.version
"""
_DELETE = """
UPDATE templates SET published = NULL, is_deleted = true, updated_at = clock_timestamp()
WHERE tenant = %s AND name = %s AND NOT is_deleted
"""


class Templates:
    """The room of what tenants say in their own words."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, tenant: str, name: str, revise: Revise, *, publish: bool, made_by: str
    ) -> tuple[TemplateVersion, bool]:
        """Make a version, and publish it or not; tell whether it is new: the same words again are the same version.

        What is published is made of the published version, so that no draft comes along; a draft of the latest one.
        """
        async with self._database.transaction() as connection:
            published, latest, is_deleted = await _one(connection, _LOCK, (tenant, name))
            base_version = None if is_deleted else (published or latest if publish else latest) or None
            base = await _read(connection, tenant, name, base_version) if base_version else None
            draft = revise(base)
            language = draft.default_language or (base.default_language if base else "")
            made = TemplateVersion(name=name, version=latest + 1, default_language=language, contents=draft.contents)
            if base and (base.contents, base.default_language) == (made.contents, language):
                made = base
            else:
                words = Jsonb(to_json(made.contents))
                await connection.execute(_INSERT, (tenant, name, made.version, language, words, made_by))
            moved = (max(latest, made.version), made.version if publish else None, tenant, name)
            await connection.execute(_MOVE, moved)
            return made, made is not base

    async def current(self, tenant: str, name: str) -> tuple[TemplateVersion, int | None] | None:
        """Read the published version, else the latest; and which one is published."""
        rows = await self._database.fetch(_CURRENT, (tenant, name))
        return (_version(rows[0]), rows[0][4]) if rows else None

    async def version(self, tenant: str, name: str, version: int) -> TemplateVersion | None:
        """Read one version."""
        rows = await self._database.fetch(_VERSION, (tenant, name, version))
        return _version(rows[0]) if rows else None

    async def published(self, tenant: str, name: str) -> int | None:
        """Read which version new notifications get."""
        rows = await self._database.fetch(_PUBLISHED, (tenant, name))
        return rows[0][0] if rows else None

    async def listing(self, tenant: str, *, after: str = "", limit: int = 100) -> list[Listed]:
        """List templates by name, from behind the last one that is known."""
        return [
            Listed(name=row[0], published=row[1], latest=row[2], updated_at=row[3], languages=row[4] or {})
            for row in await self._database.fetch(_LIST, (tenant, after, limit))
        ]

    async def versions(self, tenant: str, name: str, *, before: int, limit: int = 100) -> list[Made]:
        """List the versions of a template, the newest first, from before the last one that is known."""
        return [
            Made(version=row[0], is_published=row[1], made_by=row[2], created_at=row[3])
            for row in await self._database.fetch(_VERSIONS, (tenant, name, before, limit))
        ]

    async def publish(self, tenant: str, name: str, version: int | None) -> int | None:
        """Let new notifications get a version, the latest if none is named; None if there is no such version."""
        rows = await self._database.fetch(_PUBLISH, (tenant, name, version))
        return rows[0][0] if rows else None

    async def delete(self, tenant: str, name: str) -> bool:
        """Let no new notification get it. The versions stay: some notifications have begun with them."""
        return bool(await self._database.run(_DELETE, (tenant, name)))


async def _one(connection: Connection, statement: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    row = await (await connection.execute(statement, values)).fetchone()
    assert row is not None
    return row


async def _read(connection: Connection, tenant: str, name: str, version: int) -> TemplateVersion:
    return _version(await _one(connection, _VERSION, (tenant, name, version)))


def _version(row: tuple[Any, ...]) -> TemplateVersion:
    return TemplateVersion(name=row[0], version=row[1], default_language=row[2], contents=from_json(row[3]))
