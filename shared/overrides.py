"""What a SinkBinding wants added to every event that leaves: `K_CE_OVERRIDES`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_NAME = re.compile(r"[a-z0-9]{1,20}")
OURS = frozenset(
    {
        *("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"),
        *("data", "tenant", "traceparent", "carillonqueue"),
    }
)
"""What an event means to the functions: whoever changed it would send it astray."""


def read_overrides(text: str | None) -> Mapping[str, str]:
    """Read the extensions; without any there are none.

    Raises:
        ValueError: it is no `{"extensions": {"name": "value"}}`, or would change what is ours.
    """
    if text is None:
        return {}
    document = _document(text)
    extensions = document.get("extensions") or {}
    if not isinstance(extensions, dict) or not all(isinstance(value, str) for value in extensions.values()):
        raise ValueError('must be {"extensions": {"name": "value"}}')
    for name in extensions:
        if not _NAME.fullmatch(name):
            raise ValueError("the name of an extension has 1 to 20 letters a-z and digits")
        if name in OURS:
            raise ValueError(f"{name} is an attribute of our own")
    return extensions


def _document(text: str) -> Mapping[str, object]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ValueError('must be {"extensions": {"name": "value"}}')
    return document
