"""Write the specification of the API (OpenAPI 3.1) from the tables of operations.

Run it after a change of a table: `make openapi`, or `python -m infrastructure.openapi.generate`. It needs no database.
A test compares the committed file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from infrastructure.openapi.answers import RETRY_AFTER, describe_answers, describe_refusals, refusals
from infrastructure.openapi.schemas import Schemas
from infrastructure.openapi.tables import ROOT, TAGS, operations
from shared.access import Access
from shared.operations import Operation, Parameter
from shared.version import VERSION

FILE = ROOT / "functions" / "console" / "pages" / "openapi.json"
COMMAND = "make openapi"

DESCRIPTION = """\
One business event goes in; the right person hears of it, on the right channel; anybody can see afterwards what \
happened and why.

202 means kept: what is accepted is on disk before the answer goes out, and it ends. Whatever is refused is answered \
with a problem document (RFC 9457) that names the field and the rule. `429` and `503` say with `Retry-After` when to \
come again; with an `Idempotency-Key` the same request again is the same notification.

Say who you are with `Authorization: Bearer KEY` or `X-API-Key: KEY`. Where the API is open, as on a laptop without \
settings, nothing is needed.
"""

SECURITY = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key of `API_KEYS`."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "The same key, or a person's token."},
}

_PART = re.compile(r"\{(\w+)(?::\w+)?\}")


def document(offered: Sequence[Operation]) -> dict[str, Any]:
    """Describe a set of operations."""
    schemas = Schemas(offered)
    paths: dict[str, dict[str, Any]] = {}
    for operation in offered:
        described = describe(operation, schemas)
        paths.setdefault(_PART.sub(r"{\1}", operation.path), {})[operation.method.lower()] = described
    statuses = {status for operation in offered for status in refusals(operation)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Carillon",
            "version": VERSION,
            "summary": "A notification platform.",
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "Where this is served."}],
        "security": [{name: []} for name in SECURITY],
        "tags": [_tag(name) for name in dict.fromkeys(operation.tag for operation in offered)],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": describe_refusals(statuses),
            "headers": {"Retry-After": RETRY_AFTER},
            "securitySchemes": SECURITY,
        },
    }


def describe(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    """Describe one operation."""
    described: dict[str, Any] = {"operationId": operation.name, "tags": [operation.tag], "summary": operation.summary}
    described["description"] = " ".join(filter(None, (operation.about, _who(operation))))
    parameters = [_parameter(parameter) for parameter in _with_parts(operation)]
    if parameters:
        described["parameters"] = parameters
    if operation.takes:
        described["requestBody"] = _body(operation, schemas)
    described["responses"] = describe_answers(operation, schemas.given)
    if operation.access is Access.PUBLIC:
        described["security"] = []
    return described


def _who(operation: Operation) -> str:
    if operation.access is Access.PUBLIC:
        return "Needs no key."
    if operation.access is Access.PERSON:
        return f"For the person it is about, or a key with the scope `{'read' if operation.is_reading else 'manage'}`."
    return f"Needs the scope `{operation.access}`."


def _with_parts(operation: Operation) -> list[Parameter]:
    """List the parameters; a part of the path that the table says nothing of is any text."""
    said = {parameter.name for parameter in operation.parameters if parameter.place == "path"}
    parts = [name for name in _PART.findall(operation.path) if name not in said]
    anything = {"type": "string", "minLength": 1}
    return [
        *(Parameter(name=name, about="", schema=anything, place="path") for name in parts),
        *operation.parameters,
    ]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    about = {"description": parameter.about} if parameter.about else {}
    is_required = parameter.is_required or parameter.place == "path"
    return {
        "name": parameter.name,
        "in": parameter.place,
        **about,
        **({"required": True} if is_required else {}),
        "schema": dict(parameter.schema),
    }


def _body(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    content = {media_type: schemas.taken(model, media_type) for media_type, model in operation.takes.items()}
    if operation.example is not None:
        content[next(iter(content))]["example"] = operation.example
    return {"required": not operation.may_be_empty, "content": content}


def _tag(name: str) -> dict[str, Any]:
    return {"name": name, **({"description": TAGS[name]} if name in TAGS else {})}


def render() -> str:
    """Write the document of everything that the API offers."""
    return json.dumps(document(operations()), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the file."""
    FILE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
