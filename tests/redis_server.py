"""A real Redis for the tests: REDIS_URL, else a private one of an installed server, else Debian's packages unpacked."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infrastructure.local.debian_packages import (
    SYSTEM_PATH,
    PackagesNotAvailable,
    library_path,
    missing_libraries,
    unpack,
)
from infrastructure.local.processes import die_with_parent, free_port

UNPACKED = Path(__file__).resolve().parents[1] / ".tools" / "redis"
PACKAGES = ("redis-server", "redis-tools")
START_SECONDS = 20.0
REMEDY = "set REDIS_URL, or install redis-server"


@dataclass(frozen=True, slots=True)
class Program:
    """Where the server is, and where its libraries are if they came with it."""

    path: str
    libraries: str = ""


def find_program(folder: Path = UNPACKED) -> Program:
    """Find an installed server, else unpack one.

    Raises:
        PackagesNotAvailable: neither is possible here.
    """
    installed = shutil.which("redis-server", path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")
    if installed:
        return Program(installed)
    try:
        unpack(folder, _names)
    except PackagesNotAvailable as unavailable:
        raise PackagesNotAvailable(f"no redis-server here, and {unavailable}: {REMEDY}") from unavailable
    return Program(str(folder / "usr/bin/redis-server"), library_path(folder))


def _names(options: Sequence[str], folder: Path) -> list[str]:
    return [*PACKAGES, *missing_libraries(options, PACKAGES, folder)]


def missing_redis() -> str | None:
    """Say why there is no Redis for the tests here, or None if there is one."""
    if os.environ.get("REDIS_URL"):
        return None
    try:
        find_program()
    except PackagesNotAvailable as missing:
        return str(missing)
    return None


class RedisForTests:
    """A server with nothing in it, which keeps nothing and ends with this process."""

    def __init__(self, program: Program | None = None) -> None:
        self._program = program or find_program()
        self._folder = tempfile.mkdtemp(prefix="carillon-redis-")
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        environment = {"PATH": SYSTEM_PATH, "LD_LIBRARY_PATH": self._program.libraries}
        command = [self._program.path, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(
            [*command, "--appendonly", "no", "--dir", self._folder],
            env={name: value for name, value in environment.items() if value},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent(),
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the private Redis did not start")
            time.sleep(0.01)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def discard(self) -> None:
        """End it for good."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(5) == b"+PONG"
        except OSError:
            return False
