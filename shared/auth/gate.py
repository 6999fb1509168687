"""What every operation stands behind: who calls, how often, and whether they may."""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import HTTPConnection

from shared.access import Access, Caller
from shared.auth.credentials import Shown, shown
from shared.auth.key_book import KeyBook
from shared.auth.key_format import digest
from shared.auth.keys import Keys, unauthorized
from shared.auth.tokens import Tokens, looks_like_token
from shared.errors import RateExceeded, Refused
from shared.limiting import Limits
from shared.metrics import Metrics
from shared.operations import Operation
from shared.rates import RATE_HEADERS, parse_rate
from shared.settings import Settings
from shared.store import Store
from shared.tenants import OPEN_TENANT

ANYBODY = Caller(tenant=OPEN_TENANT, name="anybody")


class Gate:
    """The one gate of a process: its functions share what it remembers of keys, and what it counts of callers."""

    def __init__(self, settings: Settings, store: Store, metrics: Metrics) -> None:
        self._keys = Keys(settings)
        self.book = KeyBook(store.keys, parse_rate(settings.rate_limit_per_key))
        self.tokens = Tokens(settings, store.secrets)
        self._limits = _limits(settings, metrics)
        self._metrics = metrics

    async def admit(self, connection: HTTPConnection, operation: Operation) -> Caller:
        """Let a call in, and say whose it is.

        Raises:
            Refused: 401, nobody knows who calls; 429, they call too often; 403, they may not, or the API is open and
                a page of somebody else calls.
            Transient: nobody can tell now who calls.
        """
        if operation.access is Access.PUBLIC:
            return ANYBODY
        try:
            caller = await self._caller(connection, operation)
            await self._count(connection, caller, 1)
            _require(caller, connection, operation)
        except Refused as refused:
            self._metrics.calls_refused.labels(str(refused.status)).inc()
            raise
        return caller

    @property
    def is_open(self) -> bool:
        """Whether calls need no key."""
        return self._keys.is_open

    async def charge(self, connection: HTTPConnection, caller: Caller, calls: int) -> None:
        """Count what a call that was let in holds as so many more calls; never more than its limit ever has room for.

        Raises:
            Refused: 429.
        """
        if caller.rate is None or (calls := min(calls, caller.rate.calls - 1)) < 1:
            return
        try:
            await self._count(connection, caller, calls)
        except RateExceeded as refused:
            self._metrics.calls_refused.labels(str(refused.status)).inc()
            refused.wait_longer(caller.rate.interval_seconds)  # to be let in again is a call, too
            raise

    async def close(self) -> None:
        """Finish what is under way, and let Redis go."""
        await self.book.close()
        await self.tokens.close()
        await self._limits.close()

    async def _caller(self, connection: HTTPConnection, operation: Operation) -> Caller:
        if self._keys.is_open:
            return self._keys.anybody(connection)
        return await self._identify(shown(connection, may_be_in_address=operation.may_show_token_in_address))

    async def _identify(self, credential: Shown) -> Caller:
        text = credential.text
        if credential.may_be_key and text:
            caller = self._keys.find(digest(text)) or await self.book.find(text)
            if caller:
                return caller
        if looks_like_token(text):
            caller = await self.tokens.caller(text)
            return caller if credential.may_be_key else replace(caller, scopes=frozenset())
        raise unauthorized(was_shown=bool(text))

    async def _count(self, connection: HTTPConnection, caller: Caller, calls: int) -> None:
        if caller.rate:
            policy = "key" if caller.user_id is None else "person"
            name = f"{caller.tenant}:{caller.name}"
            connection.scope[RATE_HEADERS] = await self._limits.take(name, policy, caller.rate, calls)


def _limits(settings: Settings, metrics: Metrics) -> Limits:
    if settings.redis_url is None:
        return Limits(metrics)
    from shared.limiting.redis_buckets import RedisBuckets  # its client is not loaded where there is no Redis

    return Limits(metrics, RedisBuckets(settings.redis_url.get_secret_value()))


def _require(caller: Caller, connection: HTTPConnection, operation: Operation) -> None:
    if operation.access is not Access.PERSON:
        if not caller.may(operation.access):
            raise forbidden(f"This needs a key with the scope {operation.access}.", operation.access)
        return
    person = str(connection.path_params.get(operation.person, ""))
    if not caller.may_be(person, is_reading=operation.is_reading):
        scopes = f"{Access.MANAGE} or {Access.READ}" if operation.is_reading else Access.MANAGE
        detail = f"This needs the token of this person, or a key with the scope {scopes}."
        raise forbidden(detail, Access.READ if operation.is_reading else Access.MANAGE)


def forbidden(detail: str, scope: Access) -> Refused:
    """Refuse a call of somebody who is known, and say which scope it takes (RFC 6750, 3.1)."""
    refused = Refused(403, "Forbidden", detail)
    refused.headers = {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
    return refused
