"""pika's connection, with a short way for messages and their confirms."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property
from typing import Any

from pika.adapters.asyncio_connection import AsyncioConnection
from pika.adapters.utils.io_services_utils import _AsyncPlaintextTransport
from pika.frame import decode_frame

from shared.broker.rabbit_frames import Confirm, Delivery, Incomplete, read

READ_BYTES = 65_536
"""So much is read from the socket at once; pika reads 4 kB."""

Hear = Callable[[Any], None]


class Wire(AsyncioConnection):
    """Frames keep their order in both directions, because all of them pass here.

    What one turn of the loop has to say is written in one go: pika calls the socket for each frame. What comes goes to
    whoever `hears` deliveries or confirms of its channel; anything else is pika's.
    """

    @cached_property
    def _gathered(self) -> list[bytes]:
        return []

    @cached_property
    def _hearers(self) -> dict[tuple[int, type], Hear]:
        return {}

    def hears(self, channel: int, what: type[Delivery] | type[Confirm], hear: Hear) -> None:
        """Give what comes on a channel to somebody, until `forget`."""
        self._hearers[channel, what] = hear

    def forget(self, channel: int) -> None:
        """Give nothing of a channel to anybody any more: its number may be another's next."""
        for what in (Delivery, Confirm):
            self._hearers.pop((channel, what), None)

    def write(self, frames: bytes) -> None:
        """Write whole frames behind what was written before."""
        self.bytes_sent += len(frames)
        self._adapter_emit_data(frames)

    def _adapter_emit_data(self, data: bytes) -> None:
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._emit_gathered)
        self._gathered.append(data)

    def _emit_gathered(self) -> None:
        data = b"".join(self._gathered)
        self._gathered.clear()
        if self._transport is not None:
            super()._adapter_emit_data(data)
            if isinstance(self._transport, _AsyncPlaintextTransport):  # pika would wait until the loop says so
                self._transport._on_socket_writable()

    def _proto_connection_made(self, transport: Any) -> None:
        transport._MAX_RECV_BYTES = READ_BYTES
        super()._proto_connection_made(transport)

    def _on_data_available(self, data_in: bytes) -> None:
        buffer = self._frame_buffer + data_in if self._frame_buffer else data_in
        at = 0
        try:
            while at < len(buffer):
                end = self._hear(buffer, at) or self._leave_to_pika(buffer, at)
                if not end:
                    break
                at = end
        except Incomplete:
            pass
        finally:
            self.bytes_received += at  # pika's heartbeat takes a connection for dead on which this stands still
            self._frame_buffer = buffer[at:]

    def _hear(self, buffer: bytes, at: int) -> int:
        """Hand on what begins at a place, and return where it ends; 0 if it is nothing that anybody hears."""
        found = read(buffer, at)
        hear = found and self._hearers.get((found.channel, type(found.what)))
        if not found or not hear:
            return 0
        self.frames_received += 1
        hear(found.what)
        return found.end

    def _leave_to_pika(self, buffer: bytes, at: int) -> int:
        size, frame = decode_frame(buffer[at : at + _size(buffer, at)])
        if frame is None:
            return 0
        self._process_frame(frame)
        return at + size


def _size(buffer: bytes, at: int) -> int:
    """Tell how long the frame is that begins at a place; the protocol's own header has eight bytes."""
    if buffer[at : at + 4] == b"AMQP":
        return 8
    return 8 + int.from_bytes(buffer[at + 3 : at + 7])
