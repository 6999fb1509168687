"""The headers of a mail (RFC 5322, 2047, 2231): each is one, whatever its value says."""

from __future__ import annotations

import re
from base64 import b64encode
from email.utils import quote
from urllib.parse import quote as percent_encoded

from functions.deliver_email.sender import Sender
from shared.addresses import AddressMalformed, check_address, on_the_wire
from shared.errors import Permanent

CRLF = "\r\n"
LINE_LENGTH = 78  # RFC 5322 2.1.1: should
MAX_LINE_LENGTH = 998  # and must
_ENCODED_WORD_BYTES = 45  # 60 characters of base64 and 12 around them: 72 of the 75 that RFC 2047 allows

BREAKS = re.compile(r"[\r\n\0]")
_PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*")  # printable ASCII, single spaces: what folding leaves as it was
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")  # a display name that needs no quotes
_PLAIN_FILE_NAME = re.compile(r"[\w.()+-]+(?: [\w.()+-]+)*", re.ASCII)
_LONGEST_PLAIN_FILE_NAME = 60


class HeaderRefused(Permanent):
    """A header would have held what could begin another one. The message names the header, never the value."""


def text_header(name: str, value: str) -> str:
    """Write one unstructured header, folded.

    Raises:
        HeaderRefused: it has a CR, LF or NUL.
    """
    if BREAKS.search(value):
        raise HeaderRefused(name)
    if not value:
        return f"{name}: "
    if _PLAIN.fullmatch(value) and "=?" not in value:
        folded = _fold(f"{name}: {value}")
        if folded is not None:
            return folded
    return f"{name}: {_encoded_words(value)}"


def from_header(sender: Sender) -> str:
    """Write who a mail is from."""
    if not sender.name:
        return f"From: {sender.address}"
    if _PHRASE.fullmatch(sender.name) and "=?" not in sender.name:
        return f"From: {sender.name} <{sender.address}>"
    if sender.name.isascii() and sender.name.isprintable() and len(sender.name) < LINE_LENGTH:
        return f'From: "{quote(sender.name)}" <{sender.address}>'
    return f"From: {_encoded_words(sender.name)}{CRLF} <{sender.address}>"


def reply_to_header(address: str) -> str:
    """Write where answers go, with its line's end.

    Raises:
        HeaderRefused: it is no address, or none that every server takes.
    """
    try:
        check_address(address)
    except AddressMalformed:
        raise HeaderRefused("Reply-To") from None
    written = on_the_wire(address)
    if not written.isascii():
        raise HeaderRefused("Reply-To")
    return f"Reply-To: {written}{CRLF}"


def file_name_parameter(name: str) -> str:
    """Write the name of an attached file, on lines of its own: beyond plain ASCII as RFC 2231 says, cut into pieces.

    A piece ends with a whole character: each is decoded alone.
    """
    if _PLAIN_FILE_NAME.fullmatch(name) and len(name) <= _LONGEST_PLAIN_FILE_NAME:
        return f';{CRLF} filename="{name}"'
    pieces = [""]
    for character in name:
        encoded = percent_encoded(character, safe="", errors="replace")
        if len(pieces[-1]) + len(encoded) > _LONGEST_PLAIN_FILE_NAME:
            pieces.append("")
        pieces[-1] += encoded
    pieces[0] = f"utf-8''{pieces[0]}"  # the charset, and no language
    if len(pieces) == 1:
        return f";{CRLF} filename*={pieces[0]}"
    return "".join(f";{CRLF} filename*{number}*={piece}" for number, piece in enumerate(pieces))


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
