"""What the API offers, as a table: who may call it, what it takes, what it answers. No code that does it.

The gate, the routes and the specification (`/openapi.json`) are all made of these records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from shared.access import Access

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter in the query, a header or the path; `schema` is JSON Schema.

    A part of the path needs none: it is any text then.
    """

    name: str
    about: str
    schema: Mapping[str, Any]
    place: str = "query"
    is_required: bool = False


CURSOR = Parameter(name="cursor", about="The next_cursor of the page before.", schema={"type": "string"})
"""What it is made of is nobody else's business: so no pattern says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that is no problem document; `model` is None where there is no body.

    `other_media_types` are those in which it may come too, where it is asked for: as text.
    """

    about: str
    model: type[BaseModel] | None = None
    media_type: str = JSON
    other_media_types: tuple[str, ...] = ()
    example: Any = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation:
    """One method at one address, in Starlette's form: `{name:path}` for what may hold a slash.

    `refuses` lists the statuses of its own problem documents; those that any operation may answer (401 and 403 unless
    it is public, 429, 503, 413 and 415 where there is a body, 404 where the address has parts) are understood.
    `person` names the part of the address that says whose thing it is, where the access is `PERSON`. `about` is what a
    caller must know beyond the summary, `example` a body of the first media type that works as it stands;
    with `may_be_empty` none at all does too. `may_show_token_in_address` is for browsers that can send no header.
    """

    name: str
    method: str
    path: str
    access: Access
    summary: str
    tag: str
    takes: Mapping[str, type[BaseModel] | None] = field(default_factory=lambda: MappingProxyType({}))
    gives: Mapping[int, Answer]
    refuses: frozenset[int] = frozenset()
    parameters: tuple[Parameter, ...] = ()
    person: str = "id"
    about: str = ""
    example: Any = None
    may_be_empty: bool = False
    may_show_token_in_address: bool = False

    @property
    def is_reading(self) -> bool:
        """Whether it changes nothing."""
        return self.method in {"GET", "HEAD"}
