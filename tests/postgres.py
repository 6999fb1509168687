"""One Postgres for the whole test session, and a database of its own for every test."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import psycopg

from infrastructure.local.postgres import EmbeddedPostgres
from infrastructure.local.postgres_account import make_temporary_directory

TemplateSetup = Callable[[str], Awaitable[None]]

KEPT_DATABASES = 8
"""A database is some 8 MB: the oldest goes when one more is asked for."""


class PostgresForTests:
    """A cluster that forgets everything: it never syncs, and `stop` deletes it."""

    def __init__(self) -> None:
        self._postgres = EmbeddedPostgres(
            make_temporary_directory("carillon-tests-"), fsync="off", synchronous_commit="off", full_page_writes="off"
        )
        self._templates: dict[TemplateSetup, str] = {}
        self._databases: deque[str] = deque()
        self._made = 0

    def start(self) -> None:
        """Start it; about a second."""
        self._postgres.start()

    def stop(self) -> None:
        """End it and delete its files."""
        self._postgres.discard()

    async def fresh_database(self, template_setup: TemplateSetup | None = None) -> str:
        """Return the address of a database that nobody has used: empty, or a copy of what `template_setup` made.

        `template_setup` gets the address of an empty database, once per session; it must close its connections.
        """
        template = await self._template(template_setup) if template_setup else "template1"
        while len(self._databases) >= KEPT_DATABASES:
            await self._run(f"DROP DATABASE {self._databases.popleft()} WITH (FORCE)")
        name = await self._create(template)
        self._databases.append(name)
        return self._address(name)

    async def _template(self, template_setup: TemplateSetup) -> str:
        if template_setup not in self._templates:
            name = await self._create("template1")
            await template_setup(self._address(name))
            self._templates[template_setup] = name
        return self._templates[template_setup]

    async def _create(self, template: str) -> str:
        self._made += 1
        name = f"fresh_{self._made}"
        await self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    async def _run(self, statement: str) -> None:
        async with await psycopg.AsyncConnection.connect(self._postgres.dsn, autocommit=True) as connection:
            await connection.execute(statement.encode())

    def _address(self, database: str) -> str:
        return self._postgres.dsn.replace("@/postgres?", f"@/{database}?", 1)
