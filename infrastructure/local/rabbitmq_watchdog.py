"""Hold a private RabbitMQ node, and never let it outlive the process that wanted it.

A program of its own, with nothing but the standard library: `rabbitmq_watchdog.py EPMD_PORT FOLDER COMMAND...`.
A byte on its standard input kills the node; SIGTERM stops it in order. When standard input ends, the wanting process
is gone, however it went: the node is killed, and FOLDER (unless empty) is removed with it. No zombie is left.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from types import FrameType

LOOK_SECONDS = 0.5
EPMD_SECONDS = 5.0
GONE = b""


def main(arguments: list[str]) -> int:
    """Run the node until it ends, or until it is not wanted any more."""
    epmd_port, folder, *command = arguments
    parent = os.getppid()
    epmd = subprocess.Popen(["epmd", "-port", epmd_port, "-address", "127.0.0.1"], stdin=subprocess.DEVNULL)
    wait_for_epmd(int(epmd_port), epmd)
    node = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def stop_in_order(_signal: int, _frame: FrameType | None) -> None:
        node.terminate()

    signal.signal(signal.SIGTERM, stop_in_order)
    is_forsaken = False
    while node.poll() is None:
        order = next_order()
        # A child that the parent forked may hold the pipe open, so the parent itself is looked at too.
        is_forsaken = order == GONE or os.getppid() != parent
        if is_forsaken or order:
            node.kill()
            node.wait()
    epmd.kill()
    epmd.wait()
    if is_forsaken and folder:
        shutil.rmtree(folder, ignore_errors=True)
    return node.returncode


def next_order() -> bytes | None:
    """Wait a moment for a byte on standard input, or for its end."""
    readable, _, _ = select.select([0], [], [], LOOK_SECONDS)
    return os.read(0, 1) if readable else None


def wait_for_epmd(port: int, epmd: subprocess.Popen[bytes]) -> None:
    """Wait until the node's own epmd answers: without it the node would start a daemon that nobody stops."""
    deadline = time.monotonic() + EPMD_SECONDS
    while epmd.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    epmd.kill()
    raise SystemExit(f"epmd does not answer on port {port}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
