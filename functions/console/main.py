"""Show dead letters, and start them over; show suppressions, and lift them; show what the API is.

takes   GET /dead-letters, GET /dead-letters/{id}, POST /dead-letters/{id}/replay,
        GET /suppressions, PUT and DELETE /suppressions/{channel}/{address},
        GET /openapi.json, GET /docs
gives   notification.accepted
status  failed | unknown -> pending
"""

from __future__ import annotations

from functions.console.api import ConsoleApi
from functions.console.operations import OPERATIONS
from shared.step import Api

FUNCTION = Api(name="console", open=ConsoleApi, operations=OPERATIONS)
