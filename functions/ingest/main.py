"""Take what clients post, keep it, and answer at once; show what became of it; call it back.

takes   POST /events (plain, CloudEvents, many), POST /notifications/send, POST and GET /api/v1/notifications[/{id}],
        GET /api/v1/notifications/{id}/explain and /messages, POST /api/v1/notifications/{id}/cancel
gives   notification.accepted | fan_out.requested | compensation.requested
status  -> pending | scheduled; scheduled | pending | queued -> cancelled; queued | sent -> compensating (called back)
"""

from __future__ import annotations

from functions.ingest.api import IngestApi
from functions.ingest.operations import OPERATIONS
from shared.step import Api

FUNCTION = Api(name="ingest", open=IngestApi, operations=OPERATIONS)
