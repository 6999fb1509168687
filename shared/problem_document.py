"""What a problem document looks like (RFC 9457), for whoever has to read one. `shared/problems.py` writes them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: Annotated[str, Field(description="Its path in the body, its name in the address, or a header's name.")]
    detail: Annotated[str, Field(description="The rule that it breaks.")]


class Problem(BaseModel):
    """Why a request was refused. It names the field and the rule, and never repeats what was sent."""

    type: Annotated[str, Field(pattern="^urn:carillon:problem:", description="What kind of problem, for programs.")]
    title: Annotated[str, Field(description="The same, for people.")]
    status: Annotated[int, Field(ge=400, le=599, description="The status of the answer.")]
    detail: Annotated[str, Field(description="What is wrong this time, and what would be right.")]
    instance: Annotated[str, Field(description="Names this occurrence, where it is logged.")] = ""
    field: Annotated[str, Field(description="The first field that is wrong, if it is about a field.")] = ""
    errors: Annotated[list[FieldProblem], Field(description="Every field that is wrong, the first 20.")] = []
