"""A private RabbitMQ node on loopback, for tests and the benchmark: no root, and no other node is touched."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from infrastructure.local.rabbitmq_packages import REMEDY, Programs, RabbitMQNotAvailable, installed, unpacked
from shared.settings import Settings

__all__ = ["PrivateNode", "RabbitMQNotAvailable", "others_broker"]

START_SECONDS = 60.0
STOP_SECONDS = 30.0
KILL_SECONDS = 10.0
CONTROL_SECONDS = 60.0
LOOK_SECONDS = 0.05
PORTS = range(12_000, 31_000)  # from 32768 on a neighbour's outgoing connection may hold the port
WATCHDOG = Path(__file__).with_name("rabbitmq_watchdog.py")
KILL_ORDER = b"k"
GREETING = b"AMQP\x00\x00\x09\x01"

CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
loopback_users.guest = true
log.file.level = warning
log.console = false
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 1GB
"""


def find_programs() -> Programs:
    """Find an installed server, else unpack one.

    Raises:
        RabbitMQNotAvailable: neither is possible here.
    """
    return installed() or unpacked()


class PrivateNode:
    """One node with its own ports, cookie, epmd and folder, which dies with this process however it dies.

    Stopping or killing keeps the data for the next start, on the same port; `discard` ends it for good. Every call
    blocks: from a coroutine, call in a thread.
    """

    def __init__(self, folder: Path | None = None, find: Callable[[], Programs] = find_programs) -> None:
        self._programs = find()
        self._is_temporary = folder is None
        self.folder = folder.resolve() if folder else Path(tempfile.mkdtemp(prefix="carillon-rabbitmq-"))
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._first_port = free_ports()
        self._has_started = False

    @property
    def url(self) -> str:
        """The address for AMQP."""
        return f"amqp://guest:guest@127.0.0.1:{self._amqp_port}/%2F"

    @property
    def is_running(self) -> bool:
        """Whether the node's process lives."""
        return self._watchdog is not None and self._watchdog.poll() is None

    def start(self) -> None:
        """Start the node and wait until it speaks AMQP.

        Raises:
            RabbitMQNotAvailable: it ended, or was not there after a minute.
        """
        deadline = time.monotonic() + START_SECONDS
        while not self.is_running:
            self._launch()
            if self._wait_for_amqp(deadline):
                self._has_started = True
                return
            self.kill()
            if self._has_started or time.monotonic() > deadline:
                raise RabbitMQNotAvailable(f"the private node did not start, see {self.folder}/log: {REMEDY}")
            self._first_port = free_ports()  # somebody was quicker with one of these

    def stop(self) -> None:
        """Stop the node in order; its data stays."""
        if self._watchdog and self.is_running:
            self._watchdog.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._watchdog.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the node as a power cut would (SIGKILL); what it had on disk stays."""
        if not self._watchdog:
            return
        try:
            self._watchdog.communicate(KILL_ORDER, timeout=KILL_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._watchdog.pid, signal.SIGKILL)
            self._watchdog.wait(KILL_SECONDS)
        self._watchdog = None

    def wipe(self) -> None:
        """End the node and forget its queues and messages: the next start is a first one."""
        self.kill()
        shutil.rmtree(self.folder / "mnesia", ignore_errors=True)

    def discard(self) -> None:
        """End the node for good; a folder of our own goes with it."""
        self.kill()
        if self._is_temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def control(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on this node; return what it printed.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        command = [str(self._programs.scripts / "rabbitmqctl"), "--quiet", *arguments]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CONTROL_SECONDS,
            check=True,
        )
        return done.stdout

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, at: TracebackType | None
    ) -> None:
        self.discard()

    @property
    def _amqp_port(self) -> int:
        return self._first_port + 1

    def _launch(self) -> None:
        self._write_files()
        # -I: the watchdog needs nothing of ours, and nothing of ours may shadow what it imports.
        command = [
            sys.executable,
            "-I",
            str(WATCHDOG),
            str(self._first_port),
            str(self.folder) if self._is_temporary else "",
            str(self._programs.scripts / "rabbitmq-server"),
        ]
        with (self.folder / "log" / "output").open("ab") as output:
            self._watchdog = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait_for_amqp(self, deadline: float) -> bool:
        while self.is_running and time.monotonic() < deadline:
            if speaks_amqp("127.0.0.1", self._amqp_port):
                return True
            time.sleep(LOOK_SECONDS)
        return False

    def _write_files(self) -> None:
        for name in ("home", "log", "mnesia"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "rabbitmq.conf").write_text(CONFIGURATION.format(port=self._amqp_port))
        (self.folder / "enabled_plugins").write_text("[].\n")
        cookie = self.folder / "home" / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(secrets.token_hex(16))
            cookie.chmod(0o400)  # Erlang refuses a cookie that others could read

    def _environment(self) -> dict[str, str]:
        folder, port = str(self.folder), self._first_port
        environment = {
            "PATH": self._programs.path,
            "HOME": f"{folder}/home",
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP": f"{folder}/log/erl_crash.dump",
            "RABBITMQ_NODENAME": f"carillon{port}@localhost",
            "RABBITMQ_NODE_PORT": str(self._amqp_port),
            "RABBITMQ_DIST_PORT": str(port + 2),
            "RABBITMQ_CTL_DIST_PORT_MIN": str(port + 10),
            "RABBITMQ_CTL_DIST_PORT_MAX": str(port + 20),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/advanced.config",
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_FEATURE_FLAGS_FILE": f"{folder}/mnesia/feature_flags",
            "RABBITMQ_SCHEMA_DIR": f"{folder}/mnesia/schema",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{folder}/mnesia/config",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_PID_FILE": f"{folder}/log/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            # The start script then becomes the Erlang machine instead of its parent, and SIGTERM reaches it.
            "RABBITMQ_ALLOW_INPUT": "true",
            "RABBITMQ_SERVER_START_ARGS": "-noinput",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
        }
        if self._programs.libraries:
            environment["LD_LIBRARY_PATH"] = self._programs.libraries
        return environment


def others_broker() -> str | None:
    """Find a broker for tests that is not ours: AMQP_URL, else whoever answers on localhost, if no private node can.

    A private node goes before somebody's broker on localhost, because tests delete queues.
    """
    given = Settings().amqp_url
    if given:
        return given.get_secret_value()
    try:
        find_programs()
    except RabbitMQNotAvailable:
        return "amqp://guest:guest@127.0.0.1:5672/%2F" if speaks_amqp("127.0.0.1", 5672) else None
    return None


def speaks_amqp(host: str, port: int) -> bool:
    """Tell whether a broker answers there: a bound port alone may still be starting."""
    try:
        with socket.create_connection((host, port), timeout=2) as connection:
            connection.sendall(GREETING)
            return connection.recv(1) == b"\x01"
    except OSError:
        return False


def free_ports(count: int = 3) -> int:
    """Choose the first of so many neighbouring free ports."""
    for first in random.sample(PORTS, 100):
        if all(_is_free(first + offset) for offset in range(count)):
            return first
    raise RabbitMQNotAvailable(f"no free ports from {PORTS.start} to {PORTS.stop}: {REMEDY}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
