"""Turn the models of all operations into one set of schemas, under names that no two share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from shared.operations import JSON, Answer, Operation
from shared.problem_document import Problem

BY_MEDIA_TYPE: dict[str, dict[str, Any]] = {
    "application/x-www-form-urlencoded": {"type": "object"},
    "multipart/form-data": {"type": "object"},
    JSON: {},
}
"""Where no model says more. Everything else is text."""

Taken, Given = Literal["validation"], Literal["serialization"]


class _WithoutTitles(GenerateJsonSchema):
    """A field's name says it already."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False


class Schemas:
    """The schemas of a set of operations: what is taken as it is checked, what is given as it is written."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Problem, "serialization"): None}
        for operation in operations:
            wanted |= {(model, "validation"): None for model in operation.takes.values() if model}
            wanted |= {(answer.model, "serialization"): None for answer in operation.gives.values() if answer.model}
        self._places, found = models_json_schema(
            list(wanted), ref_template="#/components/schemas/{model}", schema_generator=_WithoutTitles
        )
        self.components = dict(sorted(found["$defs"].items()))

    def taken(self, model: type[BaseModel] | None, media_type: str) -> dict[str, Any]:
        """Point at the schema of a body."""
        return {"schema": self._places[model, "validation"] if model else _bare(media_type)}

    def given(self, answer: Answer) -> dict[str, Any]:
        """Point at the schema of an answer."""
        model = answer.model
        schema = self._places[model, "serialization"] if model else _bare(answer.media_type)
        return {"schema": schema, **({"example": answer.example} if answer.example is not None else {})}


def _bare(media_type: str) -> dict[str, Any]:
    return BY_MEDIA_TYPE.get(media_type, {"type": "string"})
