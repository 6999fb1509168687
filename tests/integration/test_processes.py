from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from infrastructure.local.processes import Command, ProcessNotReady, Supervisor, free_port

FUNCTION = """
import http.server, os
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(os.environ["WORD"].encode())
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Ready).serve_forever()
"""
"""As little as a function can be: it is ready, and it ends on SIGTERM."""

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FUNCTION
"""Ready, and it does not end when asked."""

HANGS = "import signal; signal.pause()"

PARENT = """
import asyncio, sys
from infrastructure.local.processes import Command, Supervisor
async def main():
    child = Command(name="child", arguments=[sys.executable, "-c", "import signal; signal.pause()"])
    supervisor = Supervisor([child])
    await supervisor.start()
    while supervisor.pid("child") is None:
        await asyncio.sleep(0.01)
    print(supervisor.pid("child"), flush=True)
    await asyncio.get_running_loop().create_future()
asyncio.run(main())
"""

OWNER = """
import asyncio, sys
from infrastructure.local.private_instance import private_instance
async def main():
    async with private_instance(DATABASE_URL=sys.argv[1], SANDBOX="true") as instance:
        print(instance.process.pid, flush=True)
        await asyncio.get_running_loop().create_future()
asyncio.run(main())
"""


def function(name: str, script: str = FUNCTION) -> Command:
    port = free_port()
    return Command(
        name=name, arguments=[sys.executable, "-c", script], environment={"PORT": str(port), "WORD": name}, port=port
    )


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a poll with a deadline
            await asyncio.sleep(0.01)


def is_alive(pid: int | None) -> bool:
    """Whether a process runs; one that only waits to be buried does not."""
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


async def word(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.text()


@pytest.fixture
async def two() -> AsyncIterator[tuple[Supervisor, list[Command]]]:
    commands = [function("one"), function("two")]
    supervisor = Supervisor(commands)
    await supervisor.start()
    yield supervisor, commands
    await supervisor.stop()


async def test_every_function_runs_in_a_process_of_its_own(two: tuple[Supervisor, list[Command]]) -> None:
    supervisor, commands = two

    words = [await word(command.url) for command in commands]

    assert words == ["one", "two"]
    assert supervisor.pid("one") != supervisor.pid("two")


async def test_a_function_that_dies_is_started_again_and_the_others_are_left_alone(
    two: tuple[Supervisor, list[Command]], caplog: pytest.LogCaptureFixture
) -> None:
    supervisor, commands = two
    first, other = supervisor.pid("one"), supervisor.pid("two")
    assert first is not None

    os.kill(first, signal.SIGKILL)
    await until(lambda: supervisor.pid("one") not in {first, None})

    assert supervisor.pid("two") == other
    assert "started again" in caplog.text
    assert await word(commands[1].url) == "two"


async def test_stopping_leaves_no_process_behind_and_starts_none_again(
    two: tuple[Supervisor, list[Command]], caplog: pytest.LogCaptureFixture
) -> None:
    supervisor, _ = two
    pids = [supervisor.pid(name) for name in ("one", "two")]

    await supervisor.stop()

    assert not any(is_alive(pid) for pid in pids)
    assert "started again" not in caplog.text


async def test_a_process_that_does_not_become_ready_is_told_by_its_name() -> None:
    supervisor = Supervisor([function("stuck", HANGS)], ready_seconds=0.2)

    with pytest.raises(ProcessNotReady, match="stuck"):
        await supervisor.start()

    supervisor.kill()
    await supervisor.stop()
    assert supervisor.pid("stuck") is None


async def test_a_process_that_does_not_end_when_asked_is_ended() -> None:
    supervisor = Supervisor([function("deaf", DEAF)], stop_seconds=0.2)
    await supervisor.start()
    pid = supervisor.pid("deaf")

    await supervisor.stop()

    assert not is_alive(pid)


if sys.platform == "linux":  # elsewhere the children of a parent that was killed live on

    async def test_processes_end_with_a_parent_that_was_killed() -> None:
        parent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        assert parent.stdout is not None
        child = int(await asyncio.wait_for(parent.stdout.readline(), 20))
        assert is_alive(child)

        parent.kill()
        await parent.communicate()

        await until(lambda: not is_alive(child))

    async def test_a_private_instance_ends_with_an_owner_that_was_killed(database_url: str, tmp_path: Path) -> None:
        owner = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", OWNER, database_url),
            env={**os.environ, "TMPDIR": str(tmp_path)},  # it cannot clean up behind itself
            stdout=asyncio.subprocess.PIPE,
        )
        assert owner.stdout is not None
        instance = int(await asyncio.wait_for(owner.stdout.readline(), 60))
        assert is_alive(instance)

        owner.kill()
        await owner.communicate()

        await until(lambda: not is_alive(instance), seconds=40)


async def test_a_command_does_not_show_its_environment() -> None:
    assert "secret" not in repr(Command(name="one", arguments=[], environment={"API_KEYS": "secret"}))
