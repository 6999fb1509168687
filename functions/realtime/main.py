"""Bring a person's inbox to their open screens, and take their acknowledgements and marks.

takes   WS /ws/{user_id}?since=<cursor>, GET /sse/{user_id}?since=<cursor>
gives   receipt.recorded
status  sent -> delivered -> read
"""

from __future__ import annotations

from functions.realtime.api import RealtimeApi
from functions.realtime.operations import OPERATIONS
from shared.step import Api

FUNCTION = Api(name="realtime", open=RealtimeApi, operations=OPERATIONS)
