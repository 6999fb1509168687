"""Bring a person's inbox to their open WebSockets, and take their acknowledgements.

takes   WS /ws/{user_id}?since=<cursor>
gives   receipt.recorded
status  sent -> delivered
"""

from __future__ import annotations

from functions.realtime.operations import OPERATIONS
from functions.realtime.sockets import RealtimeApi
from shared.step import Api

FUNCTION = Api(name="realtime", open=RealtimeApi, operations=OPERATIONS)
