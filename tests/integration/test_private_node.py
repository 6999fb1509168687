"""The private RabbitMQ node: it disturbs nobody, and outlives nobody."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.local.rabbitmq import speaks_amqp
from tests.contract.listening import eventually

pytestmark = pytest.mark.rabbit

START_AND_WAIT = """
import time
from infrastructure.local.rabbitmq import PrivateNode
node = PrivateNode()
node.start()
print(node.url, node.folder, flush=True)
time.sleep(120)
"""


@pytest.mark.slow
async def test_a_node_dies_with_the_process_that_wanted_it_also_by_a_kill() -> None:
    owner = await asyncio.create_subprocess_exec(sys.executable, "-c", START_AND_WAIT, stdout=subprocess.PIPE)
    assert owner.stdout
    url, folder = (await owner.stdout.readline()).decode().split()
    port = int(url.rsplit(":", 1)[1].split("/")[0])
    answered = speaks_amqp("127.0.0.1", port)
    owner.kill()
    await owner.communicate()

    assert answered
    await eventually(lambda: not speaks_amqp("127.0.0.1", port))
    await eventually(lambda: not Path(folder).exists())
