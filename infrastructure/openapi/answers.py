"""What an operation may answer: its own answers, its refusals, and the refusals that any operation may have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shared.access import Access
from shared.operations import Answer, Operation
from shared.problems import CONTENT_TYPE

PROBLEM = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}

REASONS = {
    400: "It cannot be read: no JSON, a broken header, or what cannot be kept.",
    401: "Nobody knows who calls.",
    403: "Whoever calls may not do this.",
    404: "There is nothing like that at this address.",
    409: "Not in the state that things are in.",
    413: "It is too large.",
    415: "It is of a media type that is not taken here.",
    422: "It can be read, and breaks a rule; `errors` names each field.",
    429: "Too many. Come again when it says.",
    503: "Something that this needs is down or busy. Nothing was decided: come again when it says.",
}

HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"description": "How to say who calls.", "schema": {"type": "string"}}},
    429: {"Retry-After": {"$ref": "#/components/headers/Retry-After"}},
    503: {"Retry-After": {"$ref": "#/components/headers/Retry-After"}},
}

RETRY_AFTER = {
    "description": "So many seconds later it may work.",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}


def refusals(operation: Operation) -> list[int]:
    """List the statuses of its problem documents."""
    found = {429, 503, *operation.refuses}
    if operation.access is not Access.PUBLIC:
        found |= {401, 403}
    if operation.takes:
        found |= {413, 415}
    if "{" in operation.path:
        found.add(404)  # a part with a slash is another address
    return sorted(found)


def describe_answers(operation: Operation, schema_of: Any) -> dict[str, Any]:
    """Write the `responses` of an operation."""
    answers: dict[int, dict[str, Any]] = {
        status: {"$ref": f"#/components/responses/{name_of(status)}"} for status in refusals(operation)
    }
    for status, answer in operation.gives.items():
        content = {} if status in (101, 204) else _forms(answer, schema_of)
        described = {"description": answer.about, **({"content": content} if content else {})}
        if status in answers:  # both happen: this one from the function, the other from what stands before it
            described["content"] = {**content, **PROBLEM}
        answers[status] = described
    return {str(status): answers[status] for status in sorted(answers)}


def _forms(answer: Answer, schema_of: Any) -> dict[str, Any]:
    others = {media_type: {"schema": {"type": "string"}} for media_type in answer.other_media_types}
    return {answer.media_type: schema_of(answer), **others}


def describe_refusals(statuses: Iterable[int]) -> dict[str, Any]:
    """Write the component of every problem document that some operation may answer."""
    return {name_of(status): _refusal(status) for status in sorted(statuses)}


def name_of(status: int) -> str:
    """Name a refusal's component. Not by the phrase of its status: Python's own table of those changes."""
    return f"Problem{status}"


def _refusal(status: int) -> dict[str, Any]:
    about = REASONS.get(status, "It is refused; the detail says why.")
    headers = {"headers": HEADERS[status]} if status in HEADERS else {}
    return {"description": about, **headers, "content": PROBLEM}
