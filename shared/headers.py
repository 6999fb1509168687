"""Read the headers of a request: names in lower case, each at most once where twice would be ambiguous."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from shared.errors import Refused
from shared.events import TRACEPARENT
from shared.strict_json import spell

_ONCE = frozenset({"content-type", "idempotency-key", "x-correlation-id"})
_UTF8 = frozenset({"utf-8", "utf8", "us-ascii"})
_TRACEPARENT = re.compile(TRACEPARENT)
_NO_TRACE = re.compile(r"ff-.*|..-0{32}-.*|..-.{32}-0{16}-..")


class Headers(dict[str, str]):
    """Headers by their name in lower case. Made by `lowered`."""

    media_type: str = ""
    """The content type without parameters; empty when none is told."""

    @property
    def is_utf8(self) -> bool:
        """Whether the content type leaves the body in UTF-8."""
        for parameter in self.get("content-type", "").split(";")[1:]:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in _UTF8:
                return False
        return True


def lowered(headers: Mapping[str, str]) -> Headers:
    """Bring headers of any kind into one form. Costs nothing the second time.

    Raises:
        Refused: 400, a header that must occur once occurs twice, with different values.
    """
    if isinstance(headers, Headers):
        return headers
    return _lowered(headers.items())


def received(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Bring the headers of an ASGI request into that form.

    Raises:
        Refused: 400, a header that must occur once occurs twice, with different values.
    """
    return _lowered([(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw])


def _lowered(headers: Iterable[tuple[str, str]]) -> Headers:
    found = Headers()
    for raw, value in headers:
        name = raw.lower()
        if found.setdefault(name, value) != value and (name in _ONCE or name.startswith("ce-")):
            raise Refused(400, "Invalid header", "This header occurs twice.", field=spell((name,)))
    found.media_type = essence(found.get("content-type", ""))
    return found


def essence(content_type: str) -> str:
    """Return a content type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def is_json(media_type: str) -> bool:
    """Tell whether a media type is JSON; a missing one is taken for it."""
    return media_type in {"", "application/json", "text/json"} or media_type.endswith("+json")


def require_media_type(headers: Headers, wanted: str = "application/json") -> None:
    """Let a body of one media type through; of any JSON type, or none, where JSON is wanted.

    Raises:
        Refused: 415.
    """
    fits = is_json(headers.media_type) if wanted == "application/json" else headers.media_type == wanted
    if not fits or not headers.is_utf8:
        raise Refused(415, "Unsupported media type", f"It must be {wanted} in UTF-8.", field="Content-Type")


def valid_traceparent(text: str | None) -> str | None:
    """Return a W3C trace parent, or None when it is none: a broken trace never refuses an event."""
    if text is None or not _TRACEPARENT.fullmatch(text) or _NO_TRACE.fullmatch(text):
        return None
    return text
