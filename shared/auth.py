"""Who calls, for which tenant, and whether they may."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from starlette.requests import HTTPConnection

from shared.access import SCOPES, Access, Caller
from shared.errors import Refused
from shared.operations import Operation
from shared.settings import Settings
from shared.tenants import OPEN_TENANT

ANYBODY = Caller(tenant=OPEN_TENANT, name="anybody")
OPEN = Caller(tenant=OPEN_TENANT, name="open", scopes=frozenset(SCOPES))


class Keys:
    """API keys, kept as hashes: a look-up by hash tells nothing about a key by its timing."""

    def __init__(self, settings: Settings) -> None:
        self._open = settings.api_is_open()
        self._callers = {
            _hash(key): Caller(tenant=tenant, name=f"key:{_hash(key)[:8]}", scopes=frozenset(SCOPES))
            for key, tenant in settings.keys().items()
        }

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Find out who calls by `Authorization: Bearer` or `X-API-Key`.

        Raises:
            Refused: 401, without or with a key that nobody has.
        """
        if self._open:
            return OPEN
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        key = bearer.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        caller = self._callers.get(_hash(key)) if key else None
        if caller is None:
            raise Refused(
                401, "Unauthorized", "a valid API key is needed: Authorization: Bearer KEY, or X-API-Key: KEY"
            )
        return caller

    def tenant(self, headers: Mapping[str, str]) -> str:
        """Find the tenant of a call.

        Raises:
            Refused: 401, without or with a key that nobody has.
        """
        return self.caller(headers).tenant


class Gate:
    """What every operation stands behind."""

    def __init__(self, settings: Settings) -> None:
        self._keys = Keys(settings)

    async def admit(self, connection: HTTPConnection, operation: Operation) -> Caller:
        """Let a call in, and say whose it is.

        Raises:
            Refused: 401, nobody knows who calls; 403, they may not.
        """
        if operation.access is Access.PUBLIC:
            return ANYBODY
        caller = self._keys.caller(connection.headers)
        if operation.access is Access.PERSON:
            person = str(connection.path_params.get(operation.person, ""))
            may = caller.may_be(person, is_reading=operation.is_reading)
        else:
            may = caller.may(operation.access)
        if not may:
            raise Refused(403, "Forbidden", f"This needs the scope {operation.access}.")
        return caller


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
