"""Under which key a message takes the place of an older one on a device."""

from __future__ import annotations

import hashlib
import re

from shared.outcomes import Letter

_HEADER_VALUE = re.compile(r"[!-~]{1,64}")  # apns-collapse-id: at most 64 bytes, in a header; OneSignal has the same


def collapse_id(letter: Letter) -> str | None:
    """Write the key that the event names, as both providers take it; None when it names none."""
    key = letter.collapse_key
    if key is None:
        return None
    return key if _HEADER_VALUE.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()
