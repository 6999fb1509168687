"""Ids of what nobody has named: they begin with the time."""

from __future__ import annotations

import secrets
import time
from uuid import UUID

_VERSION, _VARIANT = 7 << 76, 2 << 62
_RANDOM = ~(0xF << 76 | 3 << 62) & ((1 << 80) - 1)


def new_id() -> UUID:
    """Make a UUID of version 7 (RFC 9562): milliseconds since 1970, then chance.

    Rows that come one after the other then lie side by side in every index. With millions of rows a random id would
    meet a page of its own each time (docs/decisions/0026-ids-that-begin-with-a-time.md).
    """
    milliseconds = time.time_ns() // 1_000_000
    chance = int.from_bytes(secrets.token_bytes(10))
    return UUID(int=milliseconds << 80 | chance & _RANDOM | _VERSION | _VARIANT)
