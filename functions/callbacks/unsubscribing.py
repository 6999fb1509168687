"""Unsubscribing with one click (RFC 8058): the token in the address says who and what, and nobody has to log in."""

from __future__ import annotations

import logging
from email import message_from_bytes
from email.message import Message
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from functions.callbacks import pages
from shared.access import Caller
from shared.errors import Refused
from shared.requests import read_body
from shared.runtime import Resources
from shared.unsubscribing import Subscription, read_token

SECRET = "unsubscribe"  # noqa: S105 - its name
MAX_BYTES = 4096

log = logging.getLogger(__name__)


class Unsubscribing:
    """The address in the header of every mail."""

    def __init__(self, resources: Resources) -> None:
        self._secrets = resources.store.secrets
        self._directory = resources.store.directory

    async def ask(self, request: Request, caller: Caller) -> Response:
        """Show what would be stopped; change nothing."""
        wanted = await self._subscription(request)
        return pages.question(wanted.category, wanted.channel) if wanted else pages.unknown()

    async def stop(self, request: Request, caller: Caller) -> Response:
        """Stop it; done twice it is done once.

        Raises:
            Refused: 400, the form is not the one-click form; 413, it is too large.
        """
        wanted = await self._subscription(request)
        if wanted is None:
            return pages.unknown()
        if pages.ONE_CLICK not in _fields(request.headers.get("content-type", ""), await read_body(request, MAX_BYTES)):
            raise Refused(400, "Not a one-click form", "The form must say List-Unsubscribe=One-Click.")
        await self._directory.put_preference(
            wanted.tenant, wanted.user_id, wanted.category, wanted.channel, enabled=False
        )
        log.info("somebody unsubscribed", extra={"tenant": wanted.tenant, "channel": wanted.channel.value})
        return pages.done(wanted.category, wanted.channel)

    async def _subscription(self, request: Request) -> Subscription | None:
        return read_token(await self._secrets.get(SECRET), request.path_params["token"])


def _fields(content_type: str, body: bytes) -> list[tuple[str, str]]:
    """Read a form in either encoding: mail programs should send the parts (RFC 8058 3.1), browsers send the other."""
    if content_type.lower().startswith("multipart/form-data") and content_type.isascii() and content_type.isprintable():
        form = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
        parts = [part for part in form.walk() if not part.is_multipart()]
        return [(str(part.get_param("name", "", "content-disposition")), _text(part)) for part in parts]
    try:
        return parse_qsl(body.decode(), max_num_fields=10)
    except ValueError:
        return []


def _text(part: Message) -> str:
    return str(part.get_payload()).strip()
