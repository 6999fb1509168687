"""Frames of our own making, held to what pika writes and reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import frame, spec

from shared.broker.rabbit_frames import Confirm, Delivery, Incomplete, read, write
from shared.events import CONTENT_TYPE

Basic: Any = spec.Basic
BasicProperties: Any = spec.BasicProperties
Body: Any = frame.Body
Header: Any = frame.Header
Method: Any = frame.Method
MAX_FRAME = 131_072
BODIES = st.binary(max_size=300)


def frames(channel: int, method: Any, properties: Any, body: bytes, part: int = MAX_FRAME) -> list[bytes]:
    """Have pika write a message."""
    parts = [body[at : at + part] for at in range(0, len(body), part)]
    return [
        Method(channel, method).marshal(),
        Header(channel, len(body), properties).marshal(),
        *(Body(channel, each).marshal() for each in parts),
    ]


def delivered(tag: int, properties: Any, body: bytes, *, again: bool = False, part: int = 99) -> bytes:
    method = Basic.Deliver("carillon-1", tag, again, "carillon", "events.main")
    return b"".join(frames(7, method, properties, body, part))


OURS = BasicProperties(content_type=CONTENT_TYPE, delivery_mode=2, message_id="ä-1")


@given(BODIES, st.text(max_size=60))
def test_a_message_is_written_byte_for_byte_as_pika_writes_it(body: bytes, name: str) -> None:
    properties = BasicProperties(content_type=CONTENT_TYPE, delivery_mode=2, message_id=name)
    method = Basic.Publish(exchange="carillon", routing_key="events.main", mandatory=True)

    assert write(3, "carillon", "events.main", name, body, 108) == b"".join(frames(3, method, properties, body, 100))


def test_an_id_that_no_frame_can_hold_is_refused_before_anything_is_written() -> None:
    with pytest.raises(ValueError, match="255"):
        write(3, "carillon", "events.main", "ä" * 128, b"", MAX_FRAME)


@given(BODIES, st.booleans(), st.integers(1, 2**63))
def test_a_delivery_is_read_as_pika_reads_it(body: bytes, again: bool, tag: int) -> None:
    text = delivered(tag, OURS, body, again=again)

    found = read(b"before" + text + b"behind", 6)

    assert found is not None
    assert (found.end, found.channel) == (6 + len(text), 7)
    assert found.what == Delivery(tag, again, "ä-1", CONTENT_TYPE, body)


@pytest.mark.parametrize(
    ("properties", "message_id", "content_type"),
    [
        (BasicProperties(), "", ""),
        (BasicProperties(message_id="m", headers={"x-delivery-count": 2}, priority=3), "m", ""),
        (BasicProperties(content_type="image/png", delivery_mode=2, message_id="m"), "m", "image/png"),
        (BasicProperties(content_type="text/plain", timestamp=1, app_id="a"), "", "text/plain"),
    ],
)
def test_whatever_properties_a_message_has_are_read(properties: Any, message_id: str, content_type: str) -> None:
    found = read(delivered(1, properties, b"body"), 0)

    assert found is not None
    assert found.what == Delivery(1, redelivered=False, message_id=message_id, content_type=content_type, body=b"body")


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("multiple", [False, True])
def test_a_confirm_is_read(multiple: bool, refused: bool) -> None:
    method = (Basic.Nack if refused else Basic.Ack)(delivery_tag=2**40, multiple=multiple)

    found = read(Method(2, method).marshal(), 0)

    assert found is not None
    assert found.what == Confirm(2**40, multiple, refused)


@given(BODIES, st.data())
def test_a_message_of_which_a_part_is_missing_is_waited_for(body: bytes, data: st.DataObject) -> None:
    text = delivered(1, OURS, body)

    with pytest.raises(Incomplete):
        read(text[: data.draw(st.integers(1, len(text) - 1))], 0)


def test_what_stands_between_the_frames_of_a_message_is_left_to_pika() -> None:
    method = Basic.Deliver("carillon-1", 1, exchange="carillon", routing_key="events.main")
    parts = frames(7, method, OURS, b"body")
    between = Method(8, Basic.Ack(delivery_tag=1)).marshal() + b"\0" * 40

    assert read(parts[0] + between + b"".join(parts[1:]), 0) is None
    assert read(parts[0] + parts[1] + between + parts[2], 0) is None


def test_what_is_no_delivery_and_no_confirm_is_left_to_pika() -> None:
    heartbeat = b"\x08\0\0\0\0\0\0\xce"

    for text in (heartbeat, Method(1, Basic.ConsumeOk("x")).marshal(), frames(7, Basic.Publish(), OURS, b"")[1]):
        assert read(text, 0) is None
        assert frame.decode_frame(text)[0] == len(text)
