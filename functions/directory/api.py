"""The directory's HTTP face."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.directory.devices import device_handlers
from functions.directory.documents import UserDocument
from functions.directory.operations import GET_USER, GET_WORKFLOW, PUT_USER, PUT_WORKFLOW
from functions.directory.reading import USER_ID, read_document, read_path
from shared.access import Caller
from shared.errors import Refused
from shared.runtime import Resources
from shared.step import ApiWork, routes
from shared.store.directory import User
from shared.workflows import Workflow

_EVENT_TYPE = re.compile(r"\*|[A-Za-z0-9._:/-]{1,128}")


class DirectoryApi(ApiWork):
    """Users, their devices, and workflows."""

    def __init__(self, resources: Resources) -> None:
        self._directory = resources.store.directory
        own = {
            PUT_USER: self.put_user,
            GET_USER: self.get_user,
            PUT_WORKFLOW: self.put_workflow,
            GET_WORKFLOW: self.get_workflow,
        }
        super().__init__(routes(resources.gate, {**own, **device_handlers(resources)}))

    async def put_user(self, request: Request, caller: Caller) -> Response:
        """Create or replace a user."""
        key = read_path(request, "id", USER_ID)
        document = await read_document(request, UserDocument)
        await self._directory.put_users(caller.tenant, [User(id=key, **document.model_dump())])
        return JSONResponse({"id": key, **document.model_dump()})

    async def get_user(self, request: Request, caller: Caller) -> Response:
        """Show a user."""
        user = await self._directory.user(caller.tenant, read_path(request, "id", USER_ID))
        if user is None:
            raise Refused(404, "Not found", "There is no user with this id.")
        return JSONResponse(
            {
                "id": user.id,
                "name": user.name,
                "email": user.email,
                "phone": user.phone,
                "telegram": user.telegram,
                "locale": user.locale,
            }
        )

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
