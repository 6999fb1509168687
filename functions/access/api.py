"""Keys and tokens over HTTP."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from uuid import UUID, uuid4

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from functions.access.documents import (
    KeyDocument,
    KeyPage,
    MadeKeyDocument,
    MeDocument,
    NewKeyDocument,
    RotationDocument,
    TokenDocument,
    TokenRequest,
)
from functions.access.operations import GET_KEY, GET_ME, LIST_KEYS, MAKE_KEY, MAKE_TOKEN, REVOKE_KEY, ROTATE_KEY
from shared.access import SCOPES, Caller
from shared.auth.key_format import digest, make_key
from shared.auth.tokens import LEEWAY_SECONDS
from shared.errors import Refused
from shared.requests import read_document
from shared.runtime import Resources
from shared.step import ApiWork, routes
from shared.store.keys import NewKey
from shared.version import VERSION

PAGE = 100

log = logging.getLogger(__name__)


class AccessApi(ApiWork):
    """Make, list, rotate and revoke keys; make tokens. What is made here is shown once, and never cached."""

    def __init__(self, resources: Resources) -> None:
        self._keys = resources.store.keys
        self._directory = resources.store.directory
        self._gate = resources.gate
        handlers = {
            MAKE_KEY: self.make,
            LIST_KEYS: self.list,
            GET_KEY: self.get,
            ROTATE_KEY: self.rotate,
            REVOKE_KEY: self.revoke,
            MAKE_TOKEN: self.make_token,
            GET_ME: self.me,
        }
        super().__init__(routes(self._gate, handlers))

    async def make(self, request: Request, caller: Caller) -> Response:
        """Make a key."""
        asked = await read_document(request, NewKeyDocument)
        if asked.expires_at is not None and asked.expires_at <= datetime.now(UTC):
            raise Refused(422, "Invalid request", "It must be in the future.", field="expires_at")
        key = make_key()
        made = await self._keys.make(
            NewKey(
                id=uuid4(),
                tenant=caller.tenant,
                hash=digest(key),
                name=asked.name,
                scopes=sorted(asked.scopes),
                rate_limit=asked.rate_limit,
                expires_at=asked.expires_at,
                created_by=caller.name,
            )
        )
        _tell("a key was made", caller, made.id)
        return _answer(201, MadeKeyDocument.made(made, key))

    async def list(self, request: Request, caller: Caller) -> Response:
        """List a page of keys."""
        after = _read_cursor(request.query_params.get("cursor"))
        found = await self._keys.listing(caller.tenant, after=after, limit=PAGE + 1)
        following = str(found[PAGE - 1].id) if len(found) > PAGE else None
        return _answer(200, KeyPage(keys=[KeyDocument.of(one) for one in found[:PAGE]], next_cursor=following))

    async def get(self, request: Request, caller: Caller) -> Response:
        """Show a key."""
        found = await self._keys.get(caller.tenant, _id(request))
        if found is None:
            raise _unknown()
        return _answer(200, KeyDocument.of(found))

    async def rotate(self, request: Request, caller: Caller) -> Response:
        """Make a new key in the place of an active one."""
        key_id, key = _id(request), make_key()
        grace_seconds = (await read_document(request, RotationDocument, or_empty=True)).grace_seconds
        heir = (uuid4(), digest(key))
        made = await self._keys.rotate(caller.tenant, key_id, heir, grace_seconds=grace_seconds, by=caller.name)
        if made is None:
            found = await self._keys.get(caller.tenant, key_id)
            if found is None:
                raise _unknown()
            raise Refused(409, "Not active", f"This key is {found.status}: only one that is active can be rotated.")
        self._gate.book.forget(made[1])
        _tell("a key was rotated", caller, key_id)
        return _answer(201, MadeKeyDocument.made(made[0], key))

    async def revoke(self, request: Request, caller: Caller) -> Response:
        """End a key."""
        key_id = _id(request)
        hashed = await self._keys.revoke(caller.tenant, key_id)
        if hashed is None:
            raise _unknown()
        self._gate.book.forget(hashed)
        _tell("a key was revoked", caller, key_id)
        return Response(status_code=204)

    async def make_token(self, request: Request, caller: Caller) -> Response:
        """Make a token for a user."""
        asked = await read_document(request, TokenRequest)
        lacking = sorted(asked.scopes - caller.scopes)
        if lacking:
            raise Refused(403, "Forbidden", f"Nobody gives more than they have: not {lacking[0]}.", field="scopes")
        if await self._directory.user(caller.tenant, asked.user_id) is None:
            raise Refused(404, "Not found", "There is no user with this id.", field="user_id")
        seconds = _within(caller, asked.expires_in)
        token = await self._gate.tokens.sign(caller.tenant, asked.user_id, seconds=seconds, scopes=asked.scopes)
        return _answer(200, TokenDocument(token=token, expires_in=seconds))

    async def me(self, request: Request, caller: Caller) -> Response:
        """Tell who calls."""
        scopes = [scope for scope in SCOPES if scope in caller.scopes]
        return _answer(
            200,
            MeDocument(
                tenant=caller.tenant,
                name=caller.name,
                scopes=scopes,
                is_open=self._gate.is_open,
                version=VERSION,
            ),
        )


def _within(caller: Caller, seconds: int) -> int:
    """Let no token that is made with a token live longer than it: else one that must end never would.

    Raises:
        Refused: 403, it ends already.
    """
    if caller.valid_seconds is None:
        return seconds
    left = int(caller.valid_seconds - LEEWAY_SECONDS)
    if left < 1:
        raise Refused(403, "Forbidden", "The token of this call is at its end, and makes no other one.")
    return min(seconds, left)


def _answer(status: int, document: BaseModel) -> Response:
    return Response(
        document.model_dump_json(),
        status_code=status,
        headers={"Cache-Control": "no-store"},
        media_type="application/json",
    )


def _tell(what: str, caller: Caller, key_id: UUID) -> None:
    log.info(what, extra={"tenant": caller.tenant, "key_id": str(key_id)})


def _id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["id"])
    except ValueError:
        raise _unknown() from None


def _read_cursor(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text is not None else None
    except ValueError:
        raise Refused(422, "Invalid cursor", "It must be the next_cursor of a page.", field="cursor") from None


def _unknown() -> Refused:
    return Refused(404, "Not found", "There is no key with this id.")
