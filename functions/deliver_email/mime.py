"""Write a mail as bytes (RFC 5322, 2045-2047, 8058).

By hand, because the standard library's way costs sixty times as much per mail; a property test reads every mail back
with the standard library's parser.
"""

from __future__ import annotations

import re
import time
from base64 import b64encode
from binascii import b2a_qp
from email.utils import formatdate, quote
from functools import lru_cache

from functions.deliver_email.address import Sender
from shared.errors import Permanent
from shared.outcomes import Letter

CRLF = "\r\n"
LINE_LENGTH = 78  # RFC 5322 2.1.1: should
MAX_LINE_LENGTH = 998  # and must
_ENCODED_WORD_BYTES = 45  # 60 characters of base64 and 12 around them: 72 of the 75 that RFC 2047 allows
_MOSTLY_ASCII = 1 / 6  # beyond this share of other bytes, base64 is the shorter one

_BREAKS = re.compile(r"[\r\n\0]")
_PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*")  # printable ASCII, single spaces: what folding leaves as it was
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")  # a display name that needs no quotes
_LINK = re.compile(r"https?://[!#-;=?-~]+")
_ASCII = bytes(range(128))


class HeaderRefused(Permanent):
    """A header would have held what could begin another one. The message names the header, never the value."""


class Composer:
    """Write the mails of one sender."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._from = _from_header(sender)

    @property
    def envelope_sender(self) -> bytes:
        """Name who gets a bounce."""
        return self._sender.address.encode()

    def message_id(self, letter: Letter) -> str:
        """Name a delivery: the same for every attempt of it, so that a server or a person can see a second copy."""
        return f"<{letter.idempotency_key}@{self._sender.domain}>"

    def check(self, letter: Letter) -> None:
        """Let a letter pass that `compose` can write: cheap, and before any server is asked for.

        Raises:
            HeaderRefused: the subject, the address or the link would break out of its header.
        """
        if _BREAKS.search(letter.address):
            raise HeaderRefused("To")
        if _BREAKS.search(letter.subject):
            raise HeaderRefused("Subject")
        if letter.extras:
            _unsubscribe(letter.extras.get("unsubscribe_url"))

    def compose(self, letter: Letter, now: float | None = None) -> bytes:
        """Write the whole mail, CRLF between the lines and at the end, dots not stuffed.

        `now` is in seconds since 1970. An `unsubscribe_url` among the letter's extras becomes the one-click header.

        Raises:
            HeaderRefused: the subject, the address or the link would break out of its header.
        """
        self.check(letter)
        head = (
            f"{self._from}\r\nTo: {letter.address}\r\n{text_header('Subject', letter.subject)}\r\n"
            f"Message-ID: {self.message_id(letter)}\r\nDate: {_date(int(time.time() if now is None else now))}\r\n"
            "Auto-Submitted: auto-generated\r\n"  # RFC 3834: no holiday notes in return
            f"{_unsubscribe(letter.extras.get('unsubscribe_url')) if letter.extras else ''}MIME-Version: 1.0\r\n"
        )
        if letter.html is None:
            return head.encode() + _part("plain", letter.text)
        return head.encode() + _alternatives(f"=_{letter.idempotency_key.hex}", letter.text, letter.html)


@lru_cache(maxsize=4)
def _date(second: int) -> str:
    """Write a moment. Thousands of mails share a second."""
    return formatdate(second)


def text_header(name: str, value: str) -> str:
    """Write one unstructured header, folded.

    Raises:
        HeaderRefused: it has a CR, LF or NUL.
    """
    if _BREAKS.search(value):
        raise HeaderRefused(name)
    if not value:
        return f"{name}: "
    if _PLAIN.fullmatch(value) and "=?" not in value:
        folded = _fold(f"{name}: {value}")
        if folded is not None:
            return folded
    return f"{name}: {_encoded_words(value)}"


def _fold(line: str) -> str | None:
    """Break a line before a space, where it is too long; None where a word is longer than a line may be."""
    if len(line) <= LINE_LENGTH:
        return line
    words = line.split(" ")
    if max(map(len, words)) >= MAX_LINE_LENGTH or len(words[0]) + len(words[1]) >= MAX_LINE_LENGTH:
        return None
    lines = [f"{words[0]} {words[1]}"]  # never a line with the name alone
    for word in words[2:]:
        if len(lines[-1]) + 1 + len(word) <= LINE_LENGTH:
            lines[-1] += f" {word}"
        else:
            lines.append(f" {word}")
    return CRLF.join(lines)


def _encoded_words(value: str) -> str:
    words, chunk, size = [], "", 0
    for character in value:
        width = len(character.encode(errors="replace"))
        if size + width > _ENCODED_WORD_BYTES:  # a character never spans two words, RFC 2047 5
            words.append(chunk)
            chunk, size = "", 0
        chunk, size = chunk + character, size + width
    words.append(chunk)
    return f"{CRLF} ".join(f"=?utf-8?b?{b64encode(word.encode(errors='replace')).decode()}?=" for word in words)


def _from_header(sender: Sender) -> str:
    if not sender.name:
        return f"From: {sender.address}"
    if _PHRASE.fullmatch(sender.name) and "=?" not in sender.name:
        return f"From: {sender.name} <{sender.address}>"
    if sender.name.isascii() and sender.name.isprintable() and len(sender.name) < LINE_LENGTH:
        return f'From: "{quote(sender.name)}" <{sender.address}>'
    return f"From: {_encoded_words(sender.name)}{CRLF} <{sender.address}>"


def _unsubscribe(url: str | None) -> str:
    if not url:
        return ""
    if not _LINK.fullmatch(url) or len(url) > MAX_LINE_LENGTH - len("List-Unsubscribe: <>"):
        raise HeaderRefused("List-Unsubscribe")
    link = f"List-Unsubscribe: <{url}>\r\n"
    # RFC 8058 3.1: one click is offered over HTTPS alone.
    return f"{link}List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" if url.startswith("https:") else link


def _alternatives(boundary: str, text: str, html: str) -> bytes:
    parts = (_part("plain", text), _part("html", html))
    while any(boundary.encode() in part for part in parts):
        boundary += "_"
    opening = f'Content-Type: multipart/alternative; boundary="{boundary}"{CRLF}{CRLF}'.encode()
    delimiter = f"--{boundary}{CRLF}".encode()
    return b"".join((opening, delimiter, parts[0], b"\r\n", delimiter, parts[1], f"\r\n--{boundary}--\r\n".encode()))


def _part(subtype: str, text: str) -> bytes:
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


def _transfer_encoding(body: bytes) -> tuple[bytes, bytes]:
    """Leave what is plain as it is, so that a person can read it in a log or a mailbox file."""
    if body.isascii():
        has_long_lines = len(body) > MAX_LINE_LENGTH and max(map(len, body.split(b"\r\n"))) > MAX_LINE_LENGTH
        if not has_long_lines and b"\0" not in body:
            return b"7bit", body
        return b"quoted-printable", b2a_qp(body)
    if len(body.translate(None, _ASCII)) <= len(body) * _MOSTLY_ASCII:
        return b"quoted-printable", b2a_qp(body)
    encoded = b64encode(body)
    return b"base64", b"".join(encoded[start : start + 76] + b"\r\n" for start in range(0, len(encoded), 76))
