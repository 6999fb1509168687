"""The body of a mail, in one part or in several (RFC 2045, 2046)."""

from __future__ import annotations

from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Sequence

from functions.deliver_email.headers import CRLF, MAX_LINE_LENGTH

_MOSTLY_ASCII = 1 / 6  # beyond this share of other bytes, base64 is the shorter one
_ASCII = bytes(range(128))


def text_part(subtype: str, text: str) -> bytes:
    """Write a text with its own headers; it ends with a line's end."""
    if "\r" in text:
        text = text.replace(CRLF, "\n").replace("\r", "\n")
    if not text.endswith("\n"):
        text += "\n"
    encoding, encoded = _transfer_encoding(text.replace("\n", CRLF).encode(errors="replace"))
    return b"Content-Type: text/%b; charset=utf-8\r\nContent-Transfer-Encoding: %b\r\n\r\n%b" % (
        subtype.encode(),
        encoding,
        encoded,
    )


def multipart(subtype: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    """Put parts, each with its own headers, behind one another; the boundary grows until it is in none of them."""
    while any(boundary.encode() in part for part in parts):
        boundary += "_"
    opening = f'Content-Type: multipart/{subtype}; boundary="{boundary}"{CRLF}'.encode()
    delimiter = f"\r\n--{boundary}".encode()
    return b"".join((opening, *[b"%b\r\n%b" % (delimiter, part) for part in parts], delimiter, b"--\r\n"))


def in_lines(encoded: bytes) -> bytes:
    """Break base64 into lines of 76 (RFC 2045 6.8), each with its end."""
    return b"".join(encoded[start : start + 76] + b"\r\n" for start in range(0, len(encoded), 76))


def _transfer_encoding(body: bytes) -> tuple[bytes, bytes]:
    """Leave what is plain as it is, so that a person can read it in a log or a mailbox file."""
    if body.isascii():
        has_long_lines = len(body) > MAX_LINE_LENGTH and max(map(len, body.split(b"\r\n"))) > MAX_LINE_LENGTH
        if not has_long_lines and b"\0" not in body:
            return b"7bit", body
        return b"quoted-printable", b2a_qp(body)
    if len(body.translate(None, _ASCII)) <= len(body) * _MOSTLY_ASCII:
        return b"quoted-printable", b2a_qp(body)
    return b"base64", in_lines(b64encode(body))
