"""The directory's HTTP face."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.directory.devices import device_handlers
from functions.directory.erasing import erasure_handlers
from functions.directory.operations import GET_WORKFLOW, PUT_WORKFLOW
from functions.directory.preferences import preference_handlers
from functions.directory.reading import read_document, read_path
from functions.directory.users import user_handlers
from shared.access import Caller
from shared.runtime import Resources
from shared.step import ApiWork, routes
from shared.workflows import Workflow

_EVENT_TYPE = re.compile(r"\*|[A-Za-z0-9._:/-]{1,128}")


class DirectoryApi(ApiWork):
    """Users, their devices, and workflows."""

    def __init__(self, resources: Resources) -> None:
        self._directory = resources.store.directory
        people = {**user_handlers(resources), **erasure_handlers(resources)}
        theirs = {**preference_handlers(resources), **device_handlers(resources)}
        rules = {PUT_WORKFLOW: self.put_workflow, GET_WORKFLOW: self.get_workflow}
        super().__init__(routes(resources.gate, {**people, **theirs, **rules}))

    async def put_workflow(self, request: Request, caller: Caller) -> Response:
        """Create or replace the workflow of an event type; `*` is the default of the tenant."""
        event_type = read_path(request, "event_type", _EVENT_TYPE)
        workflow = await read_document(request, Workflow)
        definition = workflow.model_dump(mode="json", exclude_defaults=True)
        await self._directory.put_workflow(caller.tenant, event_type, definition)
        return JSONResponse({"event_type": event_type, **workflow.model_dump(mode="json")})

    async def get_workflow(self, request: Request, caller: Caller) -> Response:
        """Show the workflow that an event type follows: its own, else the tenant's default, else Carillon's."""
        event_type = read_path(request, "event_type", _EVENT_TYPE)
        workflow = Workflow.model_validate(await self._directory.workflow(caller.tenant, event_type))
        return JSONResponse({"event_type": event_type, **workflow.model_dump(mode="json")})
