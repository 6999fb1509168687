"""The frames that the hot path is made of, written and read without pika's objects (AMQP 0-9-1, chapter 4.2).

pika makes three frames of a message, each with an object and a turn through its callbacks: 10 us for each message sent,
12 us for each received. All other frames are pika's; docs/decisions/0011-frames.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from pika import BasicProperties

from shared.events import CONTENT_TYPE

METHOD, HEADER, BODY = 1, 2, 3
BASIC, PUBLISH, DELIVER, ACK, NACK = 60, 40, 60, 80, 120
END = 0xCE
FRAME_BYTES = 8  # what a frame has around its payload
PERSISTENT = 2
SIMPLE = 0x9080
"""The properties of our own messages: content type, delivery mode, message id."""

_FRAME = Struct(">BHL")
_METHOD = Struct(">BHLHHB")  # the last byte begins the arguments
_CONTENT = Struct(">BHLHHQH")
_TAG = Struct(">QB")
_CONTENT_TYPE = CONTENT_TYPE.encode()
_PROPERTIES = bytes([len(_CONTENT_TYPE)]) + _CONTENT_TYPE + bytes([PERSISTENT])


class Delivery(NamedTuple):
    """One message as the broker delivered it."""

    tag: int
    redelivered: bool
    message_id: str
    content_type: str
    body: bytes


class Confirm(NamedTuple):
    """The broker took messages, or refused them."""

    tag: int
    multiple: bool
    refused: bool


class Found(NamedTuple):
    """What was read: where it ends, on which channel it came, and what it is."""

    end: int
    channel: int
    what: Delivery | Confirm


class Incomplete(Exception):
    """The rest of a message has not arrived yet."""


class Mixed(Exception):
    """Between the frames of a message stands another channel's, or what is no frame: pika knows what to do."""


def write(channel: int, exchange: str, queue: str, message_id: str, body: bytes, max_frame: int) -> bytes:
    """Write a persistent and mandatory message.

    Raises:
        ValueError: the id has more than 255 bytes.
    """
    name = message_id.encode()
    if len(name) > 255:
        raise ValueError("an id has at most 255 bytes")
    size = 14 + len(_PROPERTIES) + 1 + len(name)
    return b"".join(
        [
            _publish(channel, exchange, queue),
            _CONTENT.pack(HEADER, channel, size, BASIC, 0, len(body), SIMPLE),
            b"%b%c%b\xce" % (_PROPERTIES, len(name), name),
            *_bodies(channel, body, max_frame - FRAME_BYTES),
        ]
    )


@lru_cache(256)
def _publish(channel: int, exchange: str, queue: str) -> bytes:
    to, key = exchange.encode(), queue.encode()
    arguments = b"\0\0%c%b%c%b\1" % (len(to), to, len(key), key)
    return b"%b%b%b\xce" % (_FRAME.pack(METHOD, channel, 4 + len(arguments)), b"\0\x3c\0\x28", arguments)


def _bodies(channel: int, body: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(body), size):
        part = body[at : at + size]
        yield b"%b%b\xce" % (_FRAME.pack(BODY, channel, len(part)), part)


def read(buffer: bytes, at: int) -> Found | None:
    """Read a delivery or a confirm that begins at a place; None: something else begins there.

    Raises:
        Incomplete: not all of it is there.
    """
    try:
        return _read(buffer, at)
    except Mixed:
        return None


def _read(buffer: bytes, at: int) -> Found | None:
    if buffer[at] != METHOD:
        return None
    if len(buffer) < at + _METHOD.size:
        raise Incomplete
    _, channel, size, kind, method, first = _METHOD.unpack_from(buffer, at)
    if kind != BASIC:
        return None
    end = at + FRAME_BYTES + size
    if method == DELIVER:
        delivery, end = _delivery(buffer, channel, at + _METHOD.size + first, end)
        return Found(end, channel, delivery)
    if method in {ACK, NACK}:
        _require(buffer, end)
        tag, bits = _TAG.unpack_from(buffer, at + _METHOD.size - 1)
        return Found(end, channel, Confirm(tag, bool(bits & 1), method == NACK))
    return None


def _delivery(buffer: bytes, channel: int, tag_at: int, header_at: int) -> tuple[Delivery, int]:
    if len(buffer) < header_at + _CONTENT.size:
        raise Incomplete
    _require(buffer, header_at)
    tag, redelivered = _TAG.unpack_from(buffer, tag_at)
    kind, whose, size, _, _, length, flags = _CONTENT.unpack_from(buffer, header_at)
    if kind != HEADER or whose != channel:
        raise Mixed
    at = header_at + FRAME_BYTES + size
    _require(buffer, at)
    if flags == SIMPLE:
        message_id, content_type = _simple(buffer, header_at + _CONTENT.size)
    else:
        properties = BasicProperties()  # type: ignore[no-untyped-call]
        properties.decode(buffer[header_at + 19 : at - 1])  # type: ignore[no-untyped-call]
        message_id, content_type = properties.message_id or "", properties.content_type or ""
    body, end = _body(buffer, channel, at, length)
    return Delivery(tag, bool(redelivered), message_id, content_type, body), end


def _simple(buffer: bytes, at: int) -> tuple[str, str]:
    ends = at + 1 + buffer[at]
    content_type = buffer[at + 1 : ends]
    at = ends + 1  # behind the delivery mode
    message_id = buffer[at + 1 : at + 1 + buffer[at]].decode()
    return message_id, CONTENT_TYPE if content_type == _CONTENT_TYPE else content_type.decode()


def _body(buffer: bytes, channel: int, at: int, length: int) -> tuple[bytes, int]:
    parts = []
    while length > 0:
        if len(buffer) < at + _FRAME.size:
            raise Incomplete
        kind, whose, size = _FRAME.unpack_from(buffer, at)
        if kind != BODY or whose != channel or size > length:
            raise Mixed
        end = at + FRAME_BYTES + size
        _require(buffer, end)
        parts.append(buffer[at + _FRAME.size : end - 1])
        length -= size
        at = end
    return (parts[0] if len(parts) == 1 else b"".join(parts)), at


def _require(buffer: bytes, end: int) -> None:
    """Require that a frame is there as a whole."""
    if len(buffer) < end:
        raise Incomplete
    if buffer[end - 1] != END:
        raise Mixed
