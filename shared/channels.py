"""The channels that this installation sends on: those with a function of their own."""

from __future__ import annotations

from shared.statuses import Channel

SERVED: frozenset[Channel] = frozenset({Channel.EMAIL, Channel.WEBSOCKET})
