"""Say who may call: API keys of a tenant, and tokens of its people.

takes   POST and GET /keys, GET and DELETE /keys/{id}, POST /keys/{id}/rotate, POST /auth/token,
        GET /auth/me
gives   nothing
status  none
"""

from __future__ import annotations

from functions.access.api import AccessApi
from functions.access.operations import OPERATIONS
from shared.step import Api

FUNCTION = Api(name="access", open=AccessApi, operations=OPERATIONS)
