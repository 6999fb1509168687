"""The directory's HTTP face."""

from __future__ import annotations

from functions.directory.devices import device_handlers
from functions.directory.erasing import erasure_handlers
from functions.directory.preferences import preference_handlers
from functions.directory.users import user_handlers
from functions.directory.workflows import workflow_handlers
from shared.runtime import Resources
from shared.step import ApiWork, routes


class DirectoryApi(ApiWork):
    """Users, what belongs to each of them, and workflows."""

    def __init__(self, resources: Resources) -> None:
        people = {**user_handlers(resources), **erasure_handlers(resources)}
        theirs = {**preference_handlers(resources), **device_handlers(resources)}
        super().__init__(routes(resources.gate, {**people, **theirs, **workflow_handlers(resources)}))
