"""API keys of the environment: they have every scope."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import HTTPConnection

from shared.access import SCOPES, Caller
from shared.auth.credentials import in_headers
from shared.auth.key_format import digest
from shared.auth.neighbours import Neighbours
from shared.errors import Refused
from shared.operations import Operation
from shared.rates import parse_rate
from shared.settings import Settings
from shared.tenants import OPEN_TENANT

OPEN = Caller(tenant=OPEN_TENANT, name="open", scopes=frozenset(SCOPES))


def unauthorized(detail: str = "", *, was_shown: bool = True) -> Refused:
    """Refuse a call, because nobody knows who calls; and say whether what was shown is at fault (RFC 6750, 3)."""
    wanted = "a valid API key or token is needed: Authorization: Bearer KEY, or X-API-Key: KEY"
    refused = Refused(401, "Unauthorized", detail or wanted)
    if was_shown:
        refused.headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return refused


class Keys:
    """Kept as hashes: a look-up by hash tells nothing about a key by its timing."""

    def __init__(self, settings: Settings) -> None:
        self.is_open = settings.api_is_open()
        self._neighbours = Neighbours(settings)
        rate = parse_rate(settings.rate_limit_per_key)
        self._callers = {
            digest(key): Caller(tenant=tenant, name=f"key:{digest(key).hex()[:8]}", scopes=frozenset(SCOPES), rate=rate)
            for key, tenant in settings.keys().items()
        }

    def find(self, hashed: bytes) -> Caller | None:
        """Find out whose key has this hash."""
        return self._callers.get(hashed)

    async def admit(self, connection: HTTPConnection, operation: Operation) -> Caller:
        """Let a call in where only keys of the environment count, as before the sandbox: it holds every tenant's mail.

        Raises:
            Refused: 401, without or with a key that nobody has; 403, a page of somebody else calls an open API.
        """
        return self.anybody(connection) if self.is_open else self.caller(connection.headers)

    def anybody(self, connection: HTTPConnection) -> Caller:
        """Let whoever calls in, where the API is open; but no page of somebody else.

        Raises:
            Refused: 403.
        """
        self._neighbours.check(connection)
        return OPEN

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Find out who calls by a key of the environment.

        Raises:
            Refused: 401, without or with a key that nobody has.
        """
        if self.is_open:
            return OPEN
        key = in_headers(headers)
        caller = self.find(digest(key)) if key else None
        if caller is None:
            raise unauthorized()
        return caller
