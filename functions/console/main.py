"""Show dead letters, try them out, start them over or discard them; show suppressions, and lift them; show the API.

takes   GET /overview,
        GET /dead-letters, GET /dead-letters/{id}, POST /dead-letters[/{id}]/dry-run, /replay and /discard,
        GET /suppressions, PUT and DELETE /suppressions/{channel}/{address},
        GET /openapi.json, GET /docs, GET / and GET /console/{name}
gives   notification.accepted
status  failed | unknown -> pending
"""

from __future__ import annotations

from functions.console.api import ConsoleApi
from functions.console.operations import OPERATIONS
from shared.step import Api

FUNCTION = Api(name="console", open=ConsoleApi, operations=OPERATIONS)
