"""Gather what the whole API offers: functions never import each other, so it is done here."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from infrastructure.sandbox import operations as sandbox
from shared import front
from shared.operations import Operation

ROOT = Path(__file__).resolve().parents[2]

TAGS = {
    "events": "What goes in: one business event, or many.",
    "notifications": "What became of an event, for one user.",
    "users": "People: where they can be reached, and what they want.",
    "devices": "Where push messages go.",
    "workflows": "What an event type means: its channels, their order, and the policy.",
    "inbox": "What a person got over WebSocket, on every screen: live, listed, read, archived.",
    "overview": "How it is going.",
    "dead letters": "What needs a person to decide.",
    "suppressions": "Addresses to which nothing is sent any more.",
    "callbacks": "What providers and readers tell us.",
    "console": "The operator's pages.",
    "reference": "This description.",
    "health": "Whether it works.",
    "sandbox": "The stand-ins for providers. Where every provider is set there is no sandbox, and this answers 404.",
}
"""The order in which they are shown, with a sentence each. Other tags follow these."""


def operations() -> list[Operation]:
    """List every operation, by tag."""
    found = [operation for table in _tables() for operation in table]
    order = {name: place for place, name in enumerate([*TAGS, *sorted({one.tag for one in found} - TAGS.keys())])}
    return sorted(found, key=lambda operation: order[operation.tag])


def _tables() -> Iterator[Sequence[Operation]]:
    for path in sorted((ROOT / "functions").glob("*/operations.py")):
        yield importlib.import_module(f"functions.{path.parent.name}.operations").OPERATIONS
    yield front.OPERATIONS
    yield sandbox.OPERATIONS
