"""Run a private PostgreSQL that lives as long as the process that started it.

It listens on a Unix socket in a directory that only its account may enter, and on no network address: other users of
the machine have no way in, so there is no password to keep. The processes of that one account and root do.
What is in `data_dir`: `postgres/` (the cluster), `postgres.log`, and `postgres.elsewhere` when the cluster had to go
where its account can reach it.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from infrastructure.local import postgres_account, postgres_binaries, postgres_files, postgres_guardian
from infrastructure.local.postgres_account import Account
from infrastructure.local.postgres_binaries import Binaries
from shared.errors import Permanent

log = logging.getLogger(__name__)

START_SECONDS = 30
STOP_SECONDS = postgres_guardian.FAST_SHUTDOWN_SECONDS + 15
LOG_BYTES = 5_000_000
USER = "carillon"

SETTINGS: dict[str, str | int] = {
    "listen_addresses": "",
    "port": 5432,  # only the socket's name
    "max_connections": 200,
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",  # what a crash makes us replay stays well below START_SECONDS
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",  # no DETAIL and no STATEMENT: they would carry addresses into the log
    "log_min_error_statement": "panic",
}


class PostgresDidNotStart(Permanent):
    """Postgres ended, or was not ready in time. Carries the last lines of its log."""


class EmbeddedPostgres:
    """One cluster in `data_dir`, started with `conf` on top of our settings.

    On Linux nothing is left running when this process is killed; elsewhere unless the guardian is killed with it.
    """

    def __init__(self, data_dir: Path, *, bin_dir: Path | None = None, **conf: str | int) -> None:
        self.data_dir = Path(os.path.abspath(data_dir))
        self._bin_dir = bin_dir
        self._conf = SETTINGS | conf
        self._guardian: subprocess.Popen[bytes] | None = None
        self._sockets = Path()

    @property
    def dsn(self) -> str:
        """The address of its database, once started, as a postgresql:// URL."""
        return f"postgresql://{USER}@/postgres?host={quote(str(self._sockets), safe='')}&port=5432"

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended since."""
        return self._guardian is not None and self._guardian.poll() is None

    @property
    def log_file(self) -> Path:
        """Where Postgres writes what happens to it."""
        return self.data_dir / "postgres.log"

    def start(self) -> None:
        """Make the cluster if there is none, start it, and wait until it takes connections.

        Raises:
            AlreadyRunning: another process runs it.
            PostgresMissing: there are no binaries for it.
            PostgresDidNotStart: it ended, or was not ready within 30 s.
            Unreachable: we are root, and no other account could run it.
        """
        postgres_account.make_directory(self.data_dir)
        account = postgres_account.choose(self._cluster())
        home = postgres_account.place(self.data_dir, account)
        if home != self.data_dir:
            log.warning("uid %s cannot reach %s: the database is in %s", account.uid, self.data_dir, home)
        lock = postgres_files.take_lock(home / "postgres.lock")
        try:
            self._launch(account, lock)
        finally:
            os.close(lock)  # from here on Postgres itself holds it
        self._wait_until_ready()

    def stop(self) -> None:
        """Shut it down, ending whatever connections there are. Doing so twice does no harm."""
        if self._guardian is None:
            return
        guardian, self._guardian = self._guardian, None
        if guardian.stdin:
            guardian.stdin.close()
        guardian.wait(timeout=STOP_SECONDS)

    def discard(self) -> None:
        """Stop it and delete its data, wherever that is: for instances that are not worth keeping."""
        self.stop()
        for place in {postgres_account.pointed_at(self.data_dir), self.data_dir}:
            shutil.rmtree(place, ignore_errors=True)

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _cluster(self) -> Path:
        return postgres_account.pointed_at(self.data_dir) / "postgres"

    def _launch(self, account: Account, lock: int) -> None:
        cluster = self._cluster()
        made_by = (cluster / "PG_VERSION").read_text().strip() if cluster.exists() else None
        found = postgres_binaries.find(self._bin_dir, made_by)
        binaries = postgres_binaries.within_reach(found, account)
        if not made_by:
            self._make_cluster(binaries, account, lock)
        account.give(cluster)
        postgres_files.forget_the_dead(cluster)
        self._sockets = postgres_files.socket_directory(cluster.parent, account)
        settings = self._conf | {"unix_socket_directories": '"' + str(self._sockets).replace('"', '""') + '"'}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        order = {
            "command": [str(binaries.directory / "postgres"), "-D", str(cluster), *options],
            "account": account.arguments(),
            "lock": lock,
            "scratch": str(self._sockets),
        }
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_BYTES:
            self.log_file.rename(self.log_file.with_suffix(".log.1"))
        with self.log_file.open("ab") as output:
            self._guardian = subprocess.Popen(
                [sys.executable, "-I", "-S", postgres_guardian.__file__, json.dumps(order)],
                cwd="/",
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(lock,),
                start_new_session=True,  # a Ctrl-C in the terminal is for the owner
            )

    def _make_cluster(self, binaries: Binaries, account: Account, lock: int) -> None:
        # Made beside its place and renamed: a cluster that is there is whole.
        cluster = self._cluster()
        unfinished = cluster.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        account.give(unfinished)
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if int(binaries.major) >= 17 else []
        options = ["--locale=C", *locale, "--encoding=UTF8", f"--username={USER}"]
        options += ["--auth-local=trust", "--auth-host=reject", "--no-instructions"]
        options += ["--no-sync"] if self._conf["fsync"] == "off" else []
        made = subprocess.run(
            [binaries.directory / "initdb", "-D", unfinished, *options],
            cwd="/",
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            pass_fds=(lock,),
            **account.arguments(),
        )
        if made.returncode:
            raise PostgresDidNotStart(f"initdb failed in {unfinished}:\n{made.stderr.strip()}")
        unfinished.rename(cluster)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.is_running:
            if postgres_files.status(self._cluster()) == "ready":
                return
            time.sleep(0.01)
        ended = not self.is_running
        self.stop()
        last = "\n".join(self.log_file.read_text(errors="replace").splitlines()[-10:])
        raise PostgresDidNotStart(
            f"Postgres {'ended' if ended else f'was not ready within {START_SECONDS} s'}; {self.log_file} says:\n{last}"
        )


def _environment() -> dict[str, str]:
    # PGPORT and its kind are meant for clients; a locale that is not installed would stop initdb.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}
