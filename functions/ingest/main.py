"""Take what clients post, keep it, and answer at once; show what became of it.

takes   POST /events (plain, CloudEvents), GET /api/v1/notifications/{id}
gives   notification.accepted
status  -> pending
"""

from __future__ import annotations

from functions.ingest.api import IngestApi
from functions.ingest.operations import OPERATIONS
from shared.step import Api

FUNCTION = Api(name="ingest", open=IngestApi, operations=OPERATIONS)
