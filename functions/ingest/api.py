"""The intake's HTTP face."""

from __future__ import annotations

from functions.ingest.posting import Posting
from functions.ingest.posting_operations import POST_EVENTS
from functions.ingest.status import status_handlers
from shared.runtime import Resources
from shared.step import ApiWork, guarded, routes


class IngestApi(ApiWork):
    """What is posted, and what became of it."""

    def __init__(self, resources: Resources) -> None:
        gate = resources.gate
        self._posting = Posting(resources)
        super().__init__(
            routes(gate, {**self._posting.handlers(), **status_handlers(resources)}),
            exact={("POST", POST_EVENTS.path): guarded(gate, POST_EVENTS, self._posting.post_events)},
        )

    async def close(self) -> None:
        """Announce what was accepted."""
        await self._posting.close()
