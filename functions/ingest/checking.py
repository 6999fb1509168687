"""Check what clients post against its model, and refuse it by the names that they know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from functions.ingest.documents import Wished
from shared.errors import Refused
from shared.headers import Headers
from shared.options import Options
from shared.problems import FieldsRefused, refused_fields
from shared.wishes import NO_WISHES, Wishes

TITLE = "Invalid event"

_KEY = re.compile(r"[!-~]{1,255}")
_CORRELATION_ID = re.compile(r"[!-~]{1,128}")
_NOTHING: Mapping[str, str] = MappingProxyType({})

CHECKED_HEADERS = MappingProxyType({"Idempotency-Key": _KEY, "X-Correlation-ID": _CORRELATION_ID})

Model = TypeVar("Model", bound=BaseModel)


def checked(model: type[Model], document: Any, names: Mapping[str, str] = _NOTHING, title: str = TITLE) -> Model:
    """Check a document; `names` says what its fields are called where the client can see them.

    Raises:
        Refused: 422.
    """
    if not isinstance(document, dict):
        raise Refused(422, title, "It must be a JSON object.", field="body")
    try:
        return model.model_validate(document)
    except ValidationError as broken:
        refused = refused_fields(broken, title=title)
    raise FieldsRefused(422, title, [(names.get(name, name), detail) for name, detail in refused.errors])


def check_options(data: Mapping[str, Any], place: str = "data", title: str = TITLE) -> None:
    """Refuse what a channel could not be told: later there would be nobody to answer to.

    Raises:
        Refused: 422.
    """
    try:
        Options.of_event(data)
    except ValidationError as broken:
        refused = refused_fields(broken, title=title)
    else:
        return
    raise FieldsRefused(422, title, [(f"{place}.options.{name}", detail) for name, detail in refused.errors])


def check_headers(headers: Headers) -> None:
    """Refuse a broken header also where a form has no use for it, or a batch no event.

    Raises:
        Refused: 400.
    """
    for name, pattern in CHECKED_HEADERS.items():
        _checked_header(headers, name, pattern)


def key_of(headers: Headers) -> str | None:
    """Read the key of a request.

    Raises:
        Refused: 400.
    """
    return _checked_header(headers, "Idempotency-Key", _KEY)


def correlation_of(headers: Headers) -> str | None:
    """Read what a client calls the whole of which this is a part.

    Raises:
        Refused: 400.
    """
    return _checked_header(headers, "X-Correlation-ID", _CORRELATION_ID)


def is_correlation(text: str) -> bool:
    """Tell whether a text may be one."""
    return bool(_CORRELATION_ID.fullmatch(text))


def wishes_of(said: Wished) -> Wishes:
    """Take the wishes out of what was posted."""
    if said.on_ambiguous is None and said.priority is None:
        return NO_WISHES
    return Wishes(on_ambiguous=said.on_ambiguous, priority=said.priority)


def _checked_header(headers: Headers, name: str, pattern: re.Pattern[str]) -> str | None:
    value = headers.get(name.lower())
    if value is not None and not pattern.fullmatch(value):
        raise Refused(400, "Invalid header", f"It must match {pattern.pattern}, in visible ASCII.", field=name)
    return value
