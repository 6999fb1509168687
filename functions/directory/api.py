"""The directory's HTTP face."""

from __future__ import annotations

from functions.directory.devices import device_handlers
from functions.directory.erasing import erasure_handlers
from functions.directory.inbox import inbox_handlers
from functions.directory.preferences import preference_handlers
from functions.directory.users import user_handlers
from functions.directory.workflows import workflow_handlers
from shared.inbox import Marking
from shared.runtime import Resources
from shared.step import ApiWork, routes


class DirectoryApi(ApiWork):
    """Users, what belongs to each of them, and workflows."""

    def __init__(self, resources: Resources) -> None:
        self._marking = Marking(resources, "directory")
        people = {**user_handlers(resources), **erasure_handlers(resources)}
        theirs = {**preference_handlers(resources), **device_handlers(resources)}
        inbox = inbox_handlers(resources, self._marking)
        super().__init__(routes(resources.gate, {**people, **theirs, **inbox, **workflow_handlers(resources)}))

    async def close(self) -> None:
        """Keep what was said last."""
        await self._marking.close()
