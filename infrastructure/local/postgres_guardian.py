"""Keep Postgres alive exactly as long as the process that asked for it.

The owner holds the other end of our standard input. It closes it to stop Postgres, and the kernel closes it when the
owner dies, however it dies: both end in a fast shutdown. Should this process die first, Linux tells Postgres by
PR_SET_PDEATHSIG; on other systems an owner and a guardian that are killed together leave Postgres behind.

The death signal is bound to the thread that forks, so it is this process, with its one thread, that forks and not the
owner: an owner may start Postgres from a worker thread that ends.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
FAST_SHUTDOWN_SECONDS = 60
"""How long a fast shutdown may write its checkpoint before we let recovery do the rest."""


def main() -> None:
    """Run the command that is described by the first argument, as JSON; end with its exit code."""
    order = json.loads(sys.argv[1])
    for told in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # A service manager tells the whole group at once: the owner still has its own work to end first.
        signal.signal(told, lambda _signal, _frame: None)
    child = subprocess.Popen(
        order["command"],
        cwd="/",
        stdin=subprocess.DEVNULL,
        pass_fds=(order["lock"],),  # as long as any Postgres process lives, nobody else takes the cluster
        preexec_fn=_die_with_guardian if sys.platform == "linux" else None,
        **order["account"],
    )
    threading.Thread(target=_stop_after_owner, args=(child,), daemon=True).start()
    code = child.wait()
    shutil.rmtree(order["scratch"], ignore_errors=True)
    os._exit(code if code >= 0 else 128 - code)


def _stop_after_owner(child: subprocess.Popen[bytes]) -> None:
    os.read(0, 1)
    child.send_signal(signal.SIGINT)
    time.sleep(FAST_SHUTDOWN_SECONDS)
    child.send_signal(signal.SIGQUIT)


def _die_with_guardian() -> None:
    # After the change of account: that change clears the signal again.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


if __name__ == "__main__":
    main()
