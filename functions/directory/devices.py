"""The devices of a user, over HTTP: where push messages go."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from functions.directory.documents import DeviceDocument
from functions.directory.reading import USER_ID, read_document, read_path
from shared.auth import Keys
from shared.errors import Refused
from shared.runtime import Resources
from shared.statuses import PushService
from shared.store.directory import Directory

MAX_DEVICES = 50
"""Of one user. Each message is a call for each of them."""

_TOKEN = re.compile(r"[!-~]{1,4096}")


class DeviceRoutes:
    """Register, list and remove. A token is in the address, percent-encoded."""

    def __init__(self, resources: Resources, keys: Keys) -> None:
        self._directory: Directory = resources.store.directory
        self._devices = resources.store.devices
        self._keys = keys

    async def put(self, request: Request) -> Response:
        """Register a device; again and again, as apps do. A token that was another user's is this one's from now on."""
        tenant, user = await self._user(request)
        token = _token(request)
        document = await read_document(request, DeviceDocument)
        known = {(one.provider, one.token) for one in await self._devices.of_user(tenant, user)}
        if len(known | {(document.provider, token)}) > MAX_DEVICES:
            raise Refused(409, "Too many devices", f"A user has at most {MAX_DEVICES}. Remove one first.")
        await self._devices.register(tenant, user, provider=document.provider, token=token, platform=document.platform)
        return JSONResponse({"token": token, **document.model_dump(mode="json")})

    async def list(self, request: Request) -> Response:
        """List the devices, the oldest registration first."""
        tenant, user = await self._user(request)
        found = [
            {
                "token": one.token,
                "provider": one.provider,
                "platform": one.platform,
                "registered_at": one.registered_at.isoformat(),
            }
            for one in await self._devices.of_user(tenant, user)
        ]
        return JSONResponse({"devices": found})

    async def delete(self, request: Request) -> Response:
        """Remove a device of the provider that the query names."""
        tenant, user = self._keys.tenant(request.headers), read_path(request, "id", USER_ID)
        was_there = await self._devices.remove(tenant, user, provider=_provider(request), token=_token(request))
        if not was_there:
            raise Refused(404, "Not found", "The user has no such device.")
        return Response(status_code=204)

    async def _user(self, request: Request) -> tuple[str, str]:
        tenant, key = self._keys.tenant(request.headers), read_path(request, "id", USER_ID)
        if await self._directory.user(tenant, key) is None:
            raise Refused(404, "Not found", "There is no user with this id.")
        return tenant, key


def device_routes(resources: Resources, keys: Keys) -> list[Route]:
    """List the routes."""
    devices = DeviceRoutes(resources, keys)
    one = "/users/{id}/devices/{token:path}"  # a token may hold a slash, which comes here decoded
    return [
        Route("/users/{id}/devices", devices.list),
        Route(one, devices.put, methods=["PUT"]),
        Route(one, devices.delete, methods=["DELETE"]),
    ]


def _token(request: Request) -> str:
    token: str = request.path_params["token"]
    if not _TOKEN.fullmatch(token):
        raise Refused(
            422, "Invalid address", "A token is 1 to 4096 printable ASCII characters, percent-encoded.", field="token"
        )
    return token


def _provider(request: Request) -> PushService:
    try:
        return PushService(request.query_params.get("provider", ""))
    except ValueError:
        known = " or ".join(PushService)
        raise Refused(422, "Invalid address", f"It must be {known}.", field="provider") from None
