"""The directory's HTTP face."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from functions.directory.devices import device_routes
from functions.directory.documents import UserDocument
from functions.directory.reading import USER_ID, read_document, read_path
from shared.auth import Keys
from shared.errors import Refused
from shared.runtime import Resources
from shared.step import ApiWork
from shared.store.directory import User
from shared.workflows import Workflow

_EVENT_TYPE = re.compile(r"\*|[A-Za-z0-9._:/-]{1,128}")


class DirectoryApi(ApiWork):
    """Users, their devices, and workflows."""

    def __init__(self, resources: Resources) -> None:
        self._directory = resources.store.directory
        self._keys = Keys(resources.settings)
        super().__init__(
            [
                Route("/users/{id}", self.put_user, methods=["PUT"]),
                Route("/users/{id}", self.get_user),
                *device_routes(resources, self._keys),
                Route("/workflows/{event_type:path}", self.put_workflow, methods=["PUT"]),
                Route("/workflows/{event_type:path}", self.get_workflow),
            ]
        )

    async def put_user(self, request: Request) -> Response:
        """Create or replace a user."""
        tenant = self._keys.tenant(request.headers)
        key = read_path(request, "id", USER_ID)
        document = await read_document(request, UserDocument)
        await self._directory.put_users(tenant, [User(id=key, **document.model_dump())])
        return JSONResponse({"id": key, **document.model_dump()})

    async def get_user(self, request: Request) -> Response:
        """Show a user."""
        tenant = self._keys.tenant(request.headers)
        user = await self._directory.user(tenant, read_path(request, "id", USER_ID))
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

    async def put_workflow(self, request: Request) -> Response:
        """Create or replace the workflow of an event type; `*` is the default of the tenant."""
        tenant = self._keys.tenant(request.headers)
        event_type = read_path(request, "event_type", _EVENT_TYPE)
        workflow = await read_document(request, Workflow)
        definition = workflow.model_dump(mode="json", exclude_defaults=True)
        await self._directory.put_workflow(tenant, event_type, definition)
        return JSONResponse({"event_type": event_type, **workflow.model_dump(mode="json")})

    async def get_workflow(self, request: Request) -> Response:
        """Show the workflow that an event type follows: its own, else the tenant's default, else Carillon's."""
        tenant = self._keys.tenant(request.headers)
        event_type = read_path(request, "event_type", _EVENT_TYPE)
        workflow = Workflow.model_validate(await self._directory.workflow(tenant, event_type))
        return JSONResponse({"event_type": event_type, **workflow.model_dump(mode="json")})
