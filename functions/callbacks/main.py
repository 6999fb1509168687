"""Hear what becomes of messages after they were sent, and whom to leave in peace.

takes   POST /callbacks/{twilio,onesignal,email}, GET and POST /unsubscribe/{token}
gives   receipt.recorded
status  sent -> delivered | read | failed
"""

from __future__ import annotations

from functions.callbacks.api import CallbacksApi
from functions.callbacks.operations import OPERATIONS
from shared.step import Api

FUNCTION = Api(name="callbacks", open=CallbacksApi, operations=OPERATIONS)
