"""What the specification says is what the functions do, whatever strangers send them.

Each operation is tried with its examples, with everything that its schemas imply, and at random: no 5xx, no answer and
no header that is not described, every body as its schema says, nothing refused that fits and nothing accepted that does
not, no way in without a key. `make fuzz` tries more, and sequences of operations.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from infrastructure.openapi.generate import FILE
from tests.postgres import PostgresForTests
from tests.specification import strangers
from tests.specification.instance import Instance, in_a_thread
from tests.specification.people import Operator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning"),  # of how it would show a large case
]

WRITTEN = json.loads(FILE.read_text(encoding="utf-8"))
EFFORT = strangers.Effort(cases=12, seed=1)
"""What runs every day runs the same every day."""


@dataclass(frozen=True, slots=True)
class Stage:
    """An instance with people in it, and the specification as strangers read it."""

    instance: Instance
    document: Mapping[str, Any]


@pytest.fixture(scope="module")
def stage(postgres: PostgresForTests) -> Iterator[Stage]:
    with in_a_thread(postgres) as instance:
        known = Operator(instance).settle()
        yield Stage(instance, strangers.prepared(WRITTEN, known.by_operation()))


@pytest.mark.parametrize("path", strangers.paths_of(WRITTEN))
def test_an_address_does_what_the_specification_says(stage: Stage, path: str) -> None:
    assert strangers.complaints(strangers.at(stage.document, path), stage.instance, EFFORT) == []


def test_what_may_be_refused_beyond_the_schema_is_still_there() -> None:
    names = {described["operationId"] for item in WRITTEN["paths"].values() for described in item.values()}

    assert strangers.BEYOND_THE_SCHEMA.keys() <= names


def test_an_answer_that_is_not_described_is_complained_of(stage: Stage) -> None:
    document = copy.deepcopy(strangers.at(stage.document, "/health"))
    document["paths"]["/health"]["get"]["responses"] = {"201": {"description": "Another one."}}

    found = strangers.complaints(document, stage.instance, EFFORT)

    assert any("status_code_conformance" in complaint for complaint in found)
