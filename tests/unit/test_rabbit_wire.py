"""The short way of messages past pika, without a connection: what pika must know of it all the same."""

from __future__ import annotations

from typing import Any

import pytest
from pika import frame, spec
from pika.heartbeat import HeartbeatChecker

from shared.broker.rabbit_frames import Confirm
from shared.broker.rabbit_wire import Wire

Method: Any = frame.Method
Basic: Any = spec.Basic
Heartbeat: Any = HeartbeatChecker
CONFIRM: bytes = Method(2, Basic.Ack(delivery_tag=1)).marshal()
HEARTBEAT: bytes = frame.Heartbeat().marshal()


class Timers:
    """What pika's heartbeat asks of a connection besides its counters."""

    is_open = True

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.closed: list[BaseException] = []

    @property
    def bytes_received(self) -> int:
        return self._wire.bytes_received

    @property
    def bytes_sent(self) -> int:
        return self._wire.bytes_sent

    def _adapter_call_later(self, *_: object) -> object:
        return object()

    def _adapter_remove_timeout(self, *_: object) -> None:
        pass

    def _terminate_stream(self, error: BaseException) -> None:
        self.closed.append(error)


@pytest.fixture
def wire() -> Wire:
    """A wire that was never connected."""
    bare = object.__new__(Wire)
    bare._frame_buffer, bare._heartbeat_checker = b"", None
    bare.bytes_received = bare.bytes_sent = bare.frames_received = 0
    return bare


@pytest.mark.parametrize("arriving", [CONFIRM, HEARTBEAT, CONFIRM + HEARTBEAT], ids=["ours", "pika's", "both"])
def test_a_connection_on_which_something_comes_is_not_taken_for_dead(wire: Wire, arriving: bytes) -> None:
    timers = Timers(wire)
    wire._heartbeat_checker = checker = Heartbeat(timers, 20)
    wire.hears(2, Confirm, lambda _: None)

    for _ in range(3):
        wire._on_data_available(arriving)
        checker._check_heartbeat()

    assert timers.closed == []
    checker._check_heartbeat()
    assert len(timers.closed) == 1  # nothing came in that time, and then it is


def test_every_byte_is_counted_once_however_it_is_cut(wire: Wire) -> None:
    wire.hears(2, Confirm, lambda _: None)

    for at in range(0, len(CONFIRM), 3):
        wire._on_data_available(CONFIRM[at : at + 3])
    wire._on_data_available(CONFIRM + HEARTBEAT)

    assert wire.bytes_received == 2 * len(CONFIRM) + len(HEARTBEAT)
