"""A hint: whose inbox to look at. It says nothing else, so one that is lost or comes twice changes nothing."""

from __future__ import annotations

import json


def write_hint(tenant: str, user_id: str) -> bytes:
    """Write a hint."""
    return json.dumps({"tenant": tenant, "user_id": user_id}).encode()


def read_hint(body: bytes) -> tuple[str, str]:
    """Read a hint: tenant and user.

    Raises:
        ValueError: it is none.
    """
    try:
        hint = json.loads(body)
        return str(hint["tenant"]), str(hint["user_id"])
    except (KeyError, TypeError, UnicodeDecodeError):
        raise ValueError("a hint names a tenant and a user") from None
