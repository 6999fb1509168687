"""How a key looks: `ck_`, 256 random bits, and a checksum.

The prefix is for scanners that look for keys where none should be. By the checksum a mistyped or made-up key is known
without asking the database.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib

PREFIX = "ck_"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_BITS = 256
_RANDOM_DIGITS, _CHECK_DIGITS = 43, 6
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_DIGITS + _CHECK_DIGITS}}}")


def make_key() -> str:
    """Make a key that nobody has."""
    body = PREFIX + _write(secrets.randbits(_RANDOM_BITS), _RANDOM_DIGITS)
    return body + _checksum(body)


def is_key(text: str) -> bool:
    """Tell whether a text may be a key that was made here."""
    return bool(_FORM.fullmatch(text)) and _checksum(text[:-_CHECK_DIGITS]) == text[-_CHECK_DIGITS:]


def digest(key: str) -> bytes:
    """Return what is kept of a key. Nobody guesses 256 random bits, so one fast hash is enough."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _checksum(text: str) -> str:
    return _write(zlib.crc32(text.encode()), _CHECK_DIGITS)


def _write(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
