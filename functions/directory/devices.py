"""The devices of a user, over HTTP: where push messages go."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.directory.documents import DeviceDocument
from functions.directory.operations import LIST_DEVICES, PUT_DEVICE, REMOVE_DEVICE
from functions.directory.reading import USER_ID, read_document, read_path
from shared.access import Caller
from shared.errors import Refused
from shared.operations import Operation
from shared.runtime import Resources
from shared.statuses import PushService
from shared.step import Handler
from shared.store.directory import Directory

MAX_DEVICES = 50
"""Of one user. Each message is a call for each of them."""

_TOKEN = re.compile(r"[!-~]{1,4096}")


class DeviceRoutes:
    """Register, list and remove. A token is in the address, percent-encoded."""

    def __init__(self, resources: Resources) -> None:
        self._directory: Directory = resources.store.directory
        self._devices = resources.store.devices

    async def put(self, request: Request, caller: Caller) -> Response:
        """Register a device; again and again, as apps do. A token that was another user's is this one's from now on."""
        tenant, user = caller.tenant, await self._user(request, caller)
        token = _token(request)
        document = await read_document(request, DeviceDocument)
        known = {(one.provider, one.token) for one in await self._devices.of_user(tenant, user)}
        if len(known | {(document.provider, token)}) > MAX_DEVICES:
            raise Refused(409, "Too many devices", f"A user has at most {MAX_DEVICES}. Remove one first.")
        await self._devices.register(tenant, user, provider=document.provider, token=token, platform=document.platform)
        return JSONResponse({"token": token, **document.model_dump(mode="json")})

    async def list(self, request: Request, caller: Caller) -> Response:
        """List the devices, the oldest registration first."""
        tenant, user = caller.tenant, await self._user(request, caller)
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

    async def delete(self, request: Request, caller: Caller) -> Response:
        """Remove a device of the provider that the query names."""
        tenant, user = caller.tenant, read_path(request, "id", USER_ID)
        was_there = await self._devices.remove(tenant, user, provider=_provider(request), token=_token(request))
        if not was_there:
            raise Refused(404, "Not found", "The user has no such device.")
        return Response(status_code=204)

    async def _user(self, request: Request, caller: Caller) -> str:
        key = read_path(request, "id", USER_ID)
        if await self._directory.user(caller.tenant, key) is None:
            raise Refused(404, "Not found", "There is no user with this id.")
        return key


def device_handlers(resources: Resources) -> dict[Operation, Handler]:
    """Say who does what."""
    devices = DeviceRoutes(resources)
    return {LIST_DEVICES: devices.list, PUT_DEVICE: devices.put, REMOVE_DEVICE: devices.delete}


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
