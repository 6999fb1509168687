"""What the doctor finds at home: in the settings, the machine, the database, and a Carillon that runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from infrastructure.doctor import carillon, database, machine
from infrastructure.doctor import settings as settings_check
from infrastructure.doctor.examining import examine
from infrastructure.doctor.findings import Check, Finding, Verdict, World, ok
from shared.store import Store
from shared.version import VERSION
from tests.examined import FAULT, NOWHERE, OK, SECRET, WARNING, Provider, found, serving, world
from tests.integration.retaining import pass_days
from tests.postgres import PostgresForTests
from tests.world import World as Inhabited


async def test_a_database_that_is_up_to_date_is_well_but_for_what_was_turned_off(database_url: str) -> None:
    said = await found(database.look, world(database_url=database_url))

    assert "synchronous_commit is off" in said[FAULT]  # as the tests' own server has it
    assert said[FAULT].count(";") == 0
    assert "its schema is up to date" in said[OK]
    assert "nothing is stuck" in said[OK]


async def test_a_schema_that_is_missing_or_was_edited_is_a_fault(
    postgres: PostgresForTests, store: Store, database_url: str
) -> None:
    await store.database.run("UPDATE schema_migrations SET checksum = 'x' WHERE name = %s", ("0001_the_truth",))

    missing = await found(database.look, world(database_url=await postgres.fresh_database()))
    edited = await found(database.look, world(database_url=database_url))

    assert "migrations are missing, from 0001_the_truth on" in missing[FAULT]
    assert "0001_the_truth was applied with other content" in edited[FAULT]


async def test_what_the_sweep_leaves_lying_is_a_fault(store: Store, database_url: str) -> None:
    inhabited = await Inhabited(store).settle_in()
    await inhabited.post()
    await store.database.run("UPDATE notifications SET next_look_at = clock_timestamp() - interval '3 minutes'")

    said = await found(database.look, world(database_url=database_url))

    assert "1 should have been looked at by the sweep" in said[FAULT]


async def test_how_old_the_oldest_is_and_whether_it_is_deleted_in_time_is_told(store: Store, database_url: str) -> None:
    inhabited = await Inhabited(store).settle_in()
    nothing = await found(database.look, world(database_url=database_url))
    await inhabited.post()
    await inhabited.deliver_everything()
    await pass_days(inhabited, 43)

    for_ever = await found(database.look, world(database_url=database_url))
    nobody = await found(database.look, world(database_url=database_url, retention_days=30))
    long_kept = await found(database.look, world(database_url=database_url, retention_days=60))
    await store.retention.go_on(60)
    in_time = await found(database.look, world(database_url=database_url, retention_days=30))
    await pass_days(inhabited, 2)
    stopped = await found(database.look, world(database_url=database_url, retention_days=30))

    assert "nothing has ended yet" in nothing[OK]
    assert "is 43 days old; it is kept for ever" in for_ever[OK]
    assert "nothing begins to delete it after 30" in nobody[WARNING]
    assert "is 43 days old; what nobody needs any more is deleted after 60" in long_kept[OK]
    assert "is 43 days old; what nobody needs any more is deleted after 30" in in_time[OK]
    assert "is 45 days old, and nothing begins to delete it after 30" in stopped[WARNING]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"postgresql://u:{SECRET}@{NOWHERE}/x", "nothing listens there"),
        (f"postgresql://u:{SECRET}@carillon.invalid/x", "cannot be asked"),
        (f"postgresql://u:{SECRET}@[", "cannot be asked"),
    ],
)
async def test_a_database_that_is_away_is_a_fault(url: str, why: str) -> None:
    assert why in (await found(database.look, world(database_url=url)))[FAULT]


async def test_an_embedded_database_that_does_not_run_is_no_fault(tmp_path: Path) -> None:
    said = await found(database.look, world(data_dir=str(tmp_path)))

    assert (said[FAULT], said[WARNING]) == ("", "")


@pytest.mark.parametrize(
    ("is_older", "status", "document", "key", "verdict", "why"),
    [
        (
            False,
            200,
            {"version": VERSION, "tenant": "acme", "scopes": ["read"]},
            SECRET,
            OK,
            "tenant acme, scopes read",
        ),
        (False, 200, {"version": VERSION, "is_open": True}, "", OK, "no key needed"),
        (False, 200, {"version": "0.0.1"}, SECRET, WARNING, "it is version 0.0.1"),
        (False, 401, {}, SECRET, FAULT, "refuses the key"),
        (False, 401, {}, "", WARNING, "it wants a key"),
        (True, 200, {"notifications": []}, SECRET, WARNING, "it takes the key"),
        (True, 401, {}, SECRET, FAULT, "refuses the key"),
    ],
)
async def test_a_carillon_that_runs_is_asked_who_we_are(
    is_older: bool, status: int, document: dict[str, Any], key: str, verdict: Verdict, why: str
) -> None:
    class Running(Provider):
        async def answer(self, request: web.Request) -> web.Response:
            if request.path.startswith("/health"):
                return web.json_response({"status": "ok", "database": True, "broker": True})
            if is_older and request.path == "/auth/me":
                return web.json_response({}, status=404)
            assert request.headers.get("X-API-Key", "") == key
            return await super().answer(request)

    async with serving(Running(status=status, document=document)) as running:
        said = await found(carillon.look, world(url=running.url, key=key))

    assert why in said[verdict]


@pytest.mark.parametrize(
    ("said", "verdict", "why"),
    [
        ({"status": "unavailable", "database": False, "broker": True}, FAULT, "without database"),
        ({"status": "degraded", "database": True, "broker": False}, WARNING, "without broker"),
    ],
)
async def test_one_that_has_lost_its_database_is_a_fault_and_without_its_broker_a_warning(
    said: dict[str, Any], verdict: Verdict, why: str
) -> None:
    class Running(Provider):
        async def answer(self, request: web.Request) -> web.Response:
            is_ready = request.path == "/health/ready"
            return web.json_response(said if is_ready else {"status": "ok", "version": VERSION, "is_open": True})

    async with serving(Running()) as running:
        assert why in (await found(carillon.look, world(url=running.url)))[verdict]


@pytest.mark.parametrize(("is_said", "verdict"), [(True, FAULT), (False, WARNING)])
async def test_that_none_runs_is_a_fault_only_where_somebody_says_that_one_does(
    is_said: bool, verdict: Verdict
) -> None:
    assert (await found(carillon.look, world(is_url_said=is_said)))[verdict]


async def test_each_setting_that_is_wrong_is_named_and_the_others_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"PORT": SECRET, "API_KEYS": SECRET, "LOG_LEVEL": "DEBUG", "HOST": "0.0.0.0"}.items():
        monkeypatch.setenv(name, value)

    read, wrong = settings_check.read()
    said = await found(settings_check.look, World(settings=read, wrong=wrong))

    assert "PORT" in said[FAULT]
    assert "API_KEYS: must be tenant:key pairs" in said[FAULT]
    assert "HOST is 0.0.0.0" in said[FAULT]  # the keys that would have allowed it are wrong
    assert "LOG_LEVEL" in said[OK]


async def test_rules_about_several_settings_and_missing_providers_are_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"JWT_SECRET": SECRET * 4, "JWT_JWKS_URL": "https://a.test/keys"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:{SECRET}@h/x")

    read, wrong = settings_check.read()
    said = await found(settings_check.look, World(settings=read, wrong=wrong))

    assert "two ways to sign tokens" in said[FAULT]
    assert "SMTP_URL is missing" in said[FAULT]


async def test_a_place_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    here, there = world(data_dir=str(tmp_path / "new")), world(data_dir=str(tmp_path / "file" / "data"))

    assert (await found(machine.look, here))[FAULT] == ""
    assert "DATA_DIR cannot be written" in (await found(machine.look, there))[FAULT]


async def test_a_check_that_hangs_or_breaks_is_a_fault_and_keeps_nobody_from_looking() -> None:
    async def hangs(_: World) -> list[Finding]:
        await asyncio.Event().wait()
        return []

    async def breaks(_: World) -> list[Finding]:
        raise RuntimeError(SECRET)

    async def works(_: World) -> list[Finding]:
        return [ok("c", "well")]

    looks = {"a": hangs, "b": breaks, "c": works}
    checks = [Check(about=name, look=look, seconds=0.05) for name, look in looks.items()]

    async with asyncio.timeout(10):
        findings = await examine(world(), checks)

    assert [(one.about, one.verdict) for one in findings] == [("a", FAULT), ("b", FAULT), ("c", OK)]
    assert not any(SECRET in one.found for one in findings)
