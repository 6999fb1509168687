"""One Postgres for the whole test session, and a database of its own for every test."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import psycopg

from infrastructure.local.postgres import EmbeddedPostgres
from infrastructure.local.postgres_account import make_temporary_directory
from tests.washing import Washing

TemplateSetup = Callable[[str], Awaitable[None]]

KEPT_DATABASES = 8
"""A database is some 8 MB: the one that was given out longest ago goes when one more is asked for."""

CUT_OFF = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'"


@dataclass(frozen=True, slots=True)
class Template:
    """A database that others are copies of, and how a used copy is made as good as new."""

    name: str
    washing: Washing
    copies: deque[str] = field(default_factory=deque)


class PostgresForTests:
    """A cluster that forgets everything: it never syncs, and `stop` deletes it."""

    def __init__(self) -> None:
        self._postgres = EmbeddedPostgres(
            make_temporary_directory("carillon-tests-"), fsync="off", synchronous_commit="off", full_page_writes="off"
        )
        self._templates: dict[TemplateSetup, Template] = {}
        self._empty: deque[str] = deque()
        self._made = 0

    def start(self) -> None:
        """Start it; about a second."""
        self._postgres.start()

    def stop(self) -> None:
        """End it and delete its files."""
        self._postgres.discard()

    async def fresh_database(self, template_setup: TemplateSetup | None = None) -> str:
        """Return the address of a database in which nobody has left anything: empty, or as `template_setup` makes one.

        `template_setup` gets the address of an empty database, once per session; it must close its connections.
        """
        if template_setup is None:
            name = await self._create("template1")
            await self._make_room(self._empty)
            self._empty.append(name)
            return self._address(name)
        template = await self._template(template_setup)
        name = await self._washed(template) or await self._create(template.name)
        template.copies.append(name)
        return self._address(name)

    async def _template(self, template_setup: TemplateSetup) -> Template:
        if template_setup not in self._templates:
            name = await self._create("template1")
            await template_setup(self._address(name))
            washing = await Washing.learn(self._address(name))
            self._templates[template_setup] = Template(name, washing)
        return self._templates[template_setup]

    async def _washed(self, template: Template) -> str | None:
        """Take the copy that was given out longest ago, if it can be made as it was: that takes a quarter of the time.

        It gets another name first, so whoever still stands on it is cut off and never comes back.
        """
        if len(template.copies) < KEPT_DATABASES:
            return None
        used, name = template.copies.popleft(), self._next_name()
        try:
            await self._run(f"{CUT_OFF.format(used)}; ALTER DATABASE {used} RENAME TO {name}")
        except psycopg.errors.InvalidCatalogName:  # a test has dropped it
            return None
        if await template.washing.wash(self._address(name)):
            return name
        await self._drop(name)
        return None

    async def _make_room(self, names: deque[str]) -> None:
        while len(names) >= KEPT_DATABASES:
            await self._drop(names.popleft())

    async def _create(self, template: str) -> str:
        name = self._next_name()
        await self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def _next_name(self) -> str:
        self._made += 1
        return f"fresh_{self._made}"

    async def _drop(self, name: str) -> None:
        await self._run(f"DROP DATABASE {name} WITH (FORCE)")

    async def _run(self, statement: str) -> None:
        async with await psycopg.AsyncConnection.connect(self._postgres.dsn, autocommit=True) as connection:
            await connection.execute(statement.encode())

    def _address(self, database: str) -> str:
        return self._postgres.dsn.replace("@/postgres?", f"@/{database}?", 1)
