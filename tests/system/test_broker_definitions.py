"""What the broker of the compose file reads at its start is understood by a real RabbitMQ."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infrastructure.local.rabbitmq import PrivateNode
from infrastructure.rabbitmq.generate import ROOT, definitions
from shared.broker import topology

pytestmark = [pytest.mark.slow, pytest.mark.rabbit]

USERS = ROOT / "infrastructure" / "rabbitmq" / "users.json"


def test_a_broker_that_reads_them_has_our_queues_and_lets_guest_in(node: PrivateNode, tmp_path: Path) -> None:
    node.start()
    ours = json.loads(definitions())
    ours.pop("policies")  # of RabbitMQ 4: what is here may be 3
    (tmp_path / "definitions.json").write_text(json.dumps(ours))
    node.control("change_password", "guest", "something else")

    for file in (tmp_path / "definitions.json", USERS):
        node.control("import_definitions", str(file))

    node.control("authenticate_user", "guest", "guest")  # it fails if the password is another
    queues = node.control("list_queues", "name").split()
    assert {queue.name for queue in topology.queues()} <= set(queues)
