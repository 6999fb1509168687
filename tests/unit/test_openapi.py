"""The specification: made of the tables, valid, and complete."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import validate
from pydantic import BaseModel

from infrastructure.openapi.generate import COMMAND, FILE, document, render
from infrastructure.openapi.tables import operations
from shared.access import Access
from shared.errors import Refused, Transient
from shared.operations import JSON, Answer, Operation
from shared.problems import CONTENT_TYPE, answer
from tests.unit.test_operations import OPERATIONS

DOCUMENT: dict[str, Any] = document(operations())
DESCRIBED = {described["operationId"]: described for item in DOCUMENT["paths"].values() for described in item.values()}


def test_the_committed_specification_is_what_the_tables_say() -> None:
    assert FILE.read_text(encoding="utf-8") == render(), f"run {COMMAND}"


def test_the_specification_is_valid() -> None:
    validate(DOCUMENT)


def test_every_operation_of_every_function_is_in_it_once() -> None:
    assert {operation.name for _, operation in OPERATIONS} <= DESCRIBED.keys()
    assert len(DESCRIBED) == len(operations())


def test_it_names_nothing_that_is_not_there() -> None:
    named = set(references(DOCUMENT))

    assert named == {reference for reference in named if found(reference) is not None}


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def found(reference: str) -> Any:
    node: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        node = node.get(step) if isinstance(node, dict) else None
    return node


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.name)
def test_an_operation_says_who_may_call_it_and_how_it_refuses(operation: Operation) -> None:
    described = DESCRIBED[operation.name]
    refusals = {int(status) for status in described["responses"]} - operation.gives.keys()
    parts = [parameter["name"] for parameter in described.get("parameters", ()) if parameter["in"] == "path"]

    assert described["summary"].endswith(".")
    assert (described.get("security") == []) == (operation.access is Access.PUBLIC)
    assert ({401, 403} <= refusals) or operation.access is Access.PUBLIC
    assert {429, 503} - operation.gives.keys() <= refusals
    assert sorted(parts) == sorted(re.findall(r"\{(\w+)", operation.path))


def test_every_refusal_is_a_problem_document() -> None:
    for refusal in DOCUMENT["components"]["responses"].values():
        assert refusal["content"] == {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


@pytest.mark.parametrize("error", [Refused(422, "Invalid event", "It must be there.", field="user_id"), Transient()])
def test_a_problem_document_has_the_fields_that_are_described(error: Exception) -> None:
    told = json.loads(bytes(answer(error).body))
    schema = DOCUMENT["components"]["schemas"]["Problem"]

    assert told.keys() <= schema["properties"].keys()
    assert {"type", "title", "status", "detail"} <= told.keys()


class Thing(BaseModel):
    """A thing."""

    title: str


def test_an_operation_that_another_room_adds_is_described_without_further_ado() -> None:
    added = Operation(
        name="put_thing",
        method="PUT",
        path="/things/{id:path}",
        access=Access.MANAGE,
        summary="Put it.",
        tag="things",
        takes={JSON: Thing},
        gives={200: Answer(about="It.", model=Thing)},
    )

    made = document([*operations(), added])

    validate(made)
    described = made["paths"]["/things/{id}"]["put"]
    schema = {"schema": {"$ref": "#/components/schemas/Thing"}}
    assert described["requestBody"] == {"required": True, "content": {JSON: schema}}
    assert described["responses"]["200"]["content"] == {JSON: schema}
    assert made["components"]["schemas"]["Thing"]["properties"]["title"] == {"type": "string"}
    assert made["tags"][-1] == {"name": "things"}
