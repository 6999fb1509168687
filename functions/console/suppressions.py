"""Suppressions over HTTP: to see where nothing is sent any more and why, to add an address, and to lift one."""

from __future__ import annotations

import logging
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.console.documents import SuppressionDocument
from functions.console.operations import LIFT_SUPPRESSION, LIST_SUPPRESSIONS, PUT_SUPPRESSION
from shared import strict_json
from shared.access import Caller
from shared.addresses import Chat, Email, Phone
from shared.errors import Refused
from shared.operations import Operation
from shared.problems import refused_fields
from shared.requests import read_body
from shared.runtime import Resources
from shared.statuses import Channel
from shared.step import Handler
from shared.store.suppressions import Suppression

PAGE = 100
LONGEST_CURSOR = 2000

ADDRESSES: dict[Channel, TypeAdapter[str]] = {
    Channel.EMAIL: TypeAdapter(Email),
    Channel.SMS: TypeAdapter(Phone),
    Channel.WHATSAPP: TypeAdapter(Phone),
    Channel.TELEGRAM: TypeAdapter(Chat),
}
"""Channels whose addresses can be suppressed, in the one form in which users have them: else nothing would match."""

log = logging.getLogger(__name__)


class SuppressionRoutes:
    """List, put and lift. An address stands in the request's own address, percent-encoded; no log repeats it."""

    def __init__(self, resources: Resources) -> None:
        self._suppressions = resources.store.suppressions

    async def list(self, request: Request, caller: Caller) -> Response:
        """List a page by channel and address: `?channel=email&cursor=...`, with the cursor of the next one."""
        query = request.query_params
        channel = _channel(query["channel"]) if "channel" in query else None
        after = _read_cursor(query["cursor"]) if "cursor" in query else ("", "")
        found = await self._suppressions.listing(caller.tenant, channel=channel, after=after, limit=PAGE + 1)
        page = found[:PAGE]
        following = _write_cursor(page[-1]) if len(found) > PAGE else None
        return JSONResponse({"suppressions": [_document(one) for one in page], "next_cursor": following})

    async def put(self, request: Request, caller: Caller) -> Response:
        """Suppress an address, with a reason."""
        channel, address = _place(request)
        body = await read_body(request)
        strict_json.parse(body)  # what it refuses, pydantic would let through: duplicate keys, NaN, \u0000
        try:
            document = SuppressionDocument.model_validate_json(body)
        except ValidationError as broken:
            raise refused_fields(broken) from None
        return JSONResponse(_document(await self._suppressions.put(caller.tenant, channel, address, document.reason)))

    async def lift(self, request: Request, caller: Caller) -> Response:
        """Let messages go to an address again."""
        channel, address = _place(request)
        if not await self._suppressions.lift(caller.tenant, channel, address):
            raise Refused(404, "Not found", "This address is not suppressed on this channel.")
        log.info("a suppression was lifted", extra={"tenant": caller.tenant, "channel": channel.value})
        return Response(status_code=204)


def suppression_handlers(resources: Resources) -> dict[Operation, Handler]:
    """Say who does what."""
    suppressions = SuppressionRoutes(resources)
    return {
        LIST_SUPPRESSIONS: suppressions.list,
        PUT_SUPPRESSION: suppressions.put,
        LIFT_SUPPRESSION: suppressions.lift,
    }


def _channel(text: str) -> Channel:
    if text not in ADDRESSES:
        raise Refused(422, "Invalid channel", f"It must be one of {', '.join(ADDRESSES)}.", field="channel")
    return Channel(text)


def _place(request: Request) -> tuple[Channel, str]:
    channel = _channel(request.path_params["channel"])
    try:
        return channel, ADDRESSES[channel].validate_python(request.path_params["address"])
    except ValidationError:
        raise Refused(422, "Invalid address", f"It must be an address of {channel}.", field="address") from None


def _document(one: Suppression) -> dict[str, Any]:
    return {
        "channel": one.channel.value,
        "address": one.address,
        "reason": one.reason,
        "created_at": one.created_at.isoformat(),
    }


def _write_cursor(last: Suppression) -> str:
    return urlsafe_b64encode(f"{last.channel.value} {last.address}".encode()).decode()


def _read_cursor(text: str) -> tuple[str, str]:
    try:
        channel, found, address = urlsafe_b64decode(text[:LONGEST_CURSOR].encode("ascii")).decode().partition(" ")
    except ValueError:
        found = ""
    if not found or "\x00" in channel + address:
        raise Refused(422, "Invalid cursor", "It must be the next_cursor of a page.", field="cursor")
    return channel, address
