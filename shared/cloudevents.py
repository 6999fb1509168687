"""Read and write CloudEvents 1.0 over HTTP: the events of clients, and what Knative hands on.

Stricter than the SDK, which accepts an empty id, a time of "yesterday", broken data and unknown attribute names, and
does not undo the percent-encoding of headers. The events between our own steps are `shared/events.py`.
Source: the HTTP protocol binding and the JSON event format of CloudEvents 1.0.2.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import unquote_to_bytes

from shared import strict_json
from shared.errors import Refused
from shared.events import BATCH_CONTENT_TYPE, CONTENT_TYPE
from shared.headers import Headers, essence, is_json, lowered, require_media_type, valid_traceparent
from shared.timestamps import read_timestamp, write_timestamp

MAX_BATCH = 1_000
MAX_BATCH_BYTES = 1_048_576
"""A thousand events do not fit into the 256 KiB of one. What one event of a batch may weigh is the reader's rule."""

MAX_ATTRIBUTE = 1_024

_NAME = re.compile(r"[a-z0-9]{1,20}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MARKS = frozenset({"ce-specversion", "ce-id", "ce-source", "ce-type"})
_REQUIRED = ("id", "source", "type")
_OPTIONAL = ("subject", "datacontenttype", "dataschema")
_OWN = frozenset({"specversion", "time", *_REQUIRED, *_OPTIONAL})


class Mode(StrEnum):
    """How an event lies in a request."""

    BINARY = "binary"  # attributes in ce-* headers, data in the body
    STRUCTURED = "structured"  # one JSON object
    BATCHED = "batched"  # an array of them


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalEvent:
    """One CloudEvent from outside. `traceparent` is valid or None, and not among the extensions."""

    id: str
    source: str
    type: str
    subject: str | None = field(default=None, repr=False)
    time: datetime | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    data: Any = field(default=None, repr=False)
    extensions: dict[str, str] = field(default_factory=dict, repr=False)
    traceparent: str | None = None


def mode(headers: Mapping[str, str]) -> Mode | None:
    """Tell how the event lies in the request; None when the request carries no CloudEvent."""
    known = lowered(headers)
    if known.media_type.startswith("application/cloudevents-batch"):
        return Mode.BATCHED
    if known.media_type.startswith("application/cloudevents"):
        return Mode.STRUCTURED
    return None if _MARKS.isdisjoint(known) else Mode.BINARY


def from_http(headers: Mapping[str, str], body: bytes) -> list[ExternalEvent | Refused]:
    """Read the events of one request. Only a batch has more or fewer than one, or refusals among them.

    Raises:
        Refused: 400, 413 or 415: the whole request, or its only event. `field` is the attribute or header, or a path
            that begins with `data`.
    """
    known = lowered(headers)
    match mode(known):
        case Mode.BATCHED:
            require_media_type(known, BATCH_CONTENT_TYPE)
            return _from_batch(body, known.get("traceparent"))
        case Mode.STRUCTURED:
            require_media_type(known, CONTENT_TYPE)
            return [_from_document(strict_json.parse(body), known.get("traceparent"))]
        case _:
            return [_from_binary(known, body)]


def to_structured(event: ExternalEvent) -> tuple[dict[str, str], bytes]:
    """Write an event in structured mode: the headers and the body."""
    written = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": write_timestamp(event.time) if event.time else None,
        "datacontenttype": event.datacontenttype,
        "dataschema": event.dataschema,
        "traceparent": event.traceparent,
        **event.extensions,
        "data": event.data,
    }
    document = {name: value for name, value in written.items() if value is not None}
    return {"content-type": CONTENT_TYPE}, json.dumps(document).encode()


def _from_batch(body: bytes, trace: str | None) -> list[ExternalEvent | Refused]:
    documents = strict_json.parse_array(body, MAX_BATCH_BYTES)
    if len(documents) > MAX_BATCH:
        raise Refused(413, "Batch too large", f"A batch may have {MAX_BATCH} events at most.", field="body")
    events: list[ExternalEvent | Refused] = []
    for document in documents:
        try:
            events.append(document if isinstance(document, Refused) else _from_document(document, trace))
        except Refused as refused:
            events.append(refused)
    return events


def _from_document(document: Any, trace: str | None) -> ExternalEvent:
    if not isinstance(document, dict):
        raise _invalid("body", "A CloudEvent is a JSON object.")
    attributes = {
        name: _canonical(name, value)
        for name, value in document.items()
        if value is not None and name not in {"data", "data_base64"}
    }
    _check_version(attributes)
    data = document.get("data")
    if (encoded := document.get("data_base64")) is not None:
        if data is not None:
            raise _invalid("data_base64", "Only one of data and data_base64 may be there.")
        data = _from_base64(encoded)
    return _event(attributes, data, trace)


def _canonical(name: str, value: Any) -> str:
    """Write an attribute as the string it would be in a header. Only extensions may be numbers or booleans."""
    if isinstance(value, str):
        return value
    if name in _OWN or not isinstance(value, int):
        raise _invalid(name, "It must be a string.")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _from_base64(encoded: Any) -> Any:
    try:
        body = base64.b64decode(encoded, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise _invalid("data_base64", "It must be a string in base64.") from None
    return strict_json.parse(body, len(body), at="data_base64")


def _from_binary(headers: Headers, body: bytes) -> ExternalEvent:
    attributes = {name[3:]: _decoded(name[3:], value) for name, value in headers.items() if name.startswith("ce-")}
    if "datacontenttype" in attributes:
        raise _invalid("datacontenttype", "In binary mode it is the Content-Type header.")
    if "data" in attributes:
        raise _invalid("data", "In binary mode it is the body.")
    require_media_type(headers)
    _check_version(attributes)
    if content_type := headers.get("content-type"):
        attributes["datacontenttype"] = content_type
    data = strict_json.parse(body, at="data") if body else None
    return _event(attributes, data, headers.get("traceparent"))


def _decoded(name: str, value: str) -> str:
    """Undo quoting and one round of percent-encoding, as the HTTP binding asks (3.1.3.2)."""
    if not value.isascii():
        raise _invalid(name, "What is not ASCII must be percent-encoded.")
    if quoted := _QUOTED.fullmatch(value):
        value = re.sub(r"\\(.)", r"\1", quoted[1])
    if "%" not in value:
        return value
    if _BROKEN_ESCAPE.search(value):
        raise _invalid(name, "A percent sign must be written as %25.")
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        raise _invalid(name, "Its percent-encoding is not UTF-8.") from None


def _check_version(attributes: dict[str, str]) -> None:
    if attributes.pop("specversion", None) != "1.0":
        raise _invalid("specversion", 'It must be "1.0".')


def _event(attributes: dict[str, str], data: Any, trace: str | None) -> ExternalEvent:
    """Check the attributes of either mode; what is none of CloudEvents' own is an extension."""
    for name, value in attributes.items():
        _check(name, value)
    for name in _REQUIRED:
        if not attributes.get(name, "").strip():
            raise _invalid(name, "It must be there, and not be empty.")
    return ExternalEvent(
        id=attributes.pop("id"),
        source=attributes.pop("source"),
        type=attributes.pop("type"),
        subject=attributes.pop("subject", None),
        time=_time(attributes.pop("time", None)),
        datacontenttype=_json_type(attributes.pop("datacontenttype", None)),
        dataschema=attributes.pop("dataschema", None),
        data=data,
        traceparent=valid_traceparent(attributes.pop("traceparent", None)) or valid_traceparent(trace),
        extensions=attributes,
    )


def _time(text: str | None) -> datetime | None:
    moment = None if text is None else read_timestamp(text)
    if text is not None and moment is None:
        raise _invalid("time", "It must be an RFC 3339 timestamp, such as 2026-11-20T10:00:00Z.")
    return moment


def _json_type(content_type: str | None) -> str | None:
    if content_type is not None and not is_json(essence(content_type)):
        raise Refused(415, "Unsupported media type", "The data must be JSON.", field="datacontenttype")
    return content_type


def _check(name: str, value: str) -> None:
    if name not in _OWN and not _NAME.fullmatch(name):
        raise _invalid(name, "An attribute's name has 1 to 20 letters a-z and digits.")
    if len(value) > MAX_ATTRIBUTE:
        raise _invalid(name, f"It may have {MAX_ATTRIBUTE} characters at most.")
    if not value.isprintable() and _CONTROL.search(value):
        raise _invalid(name, "It holds a control character.")
    if not value and name in _OPTIONAL:
        raise _invalid(name, "It must not be empty; leave it out.")


def _invalid(name: str, detail: str) -> Refused:
    return Refused(400, "Invalid CloudEvent", detail, field=strict_json.spell((name,)) or "body")
