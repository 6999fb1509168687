"""People's tokens (JWT, RFC 7519): who somebody is, signed, for a while.

The algorithm alone says whose key a token must fit: HS256 our own secret, RS256 and ES256 the published keys. A public
key is never a secret, a secret never a public key, and `none` is nobody's.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import jwt

from shared.access import SCOPES, Access, Caller
from shared.auth.keys import unauthorized
from shared.events import TENANT
from shared.rates import parse_rate
from shared.settings import Settings
from shared.store.secrets import Secrets

if TYPE_CHECKING:
    from shared.auth.jwks import Jwks

OWN = "carillon"
"""Who signs, and for whom, where nothing else is set."""
OWN_ALGORITHM = "HS256"
SECRET = "user-tokens"  # noqa: S105 - a secret's name
LEEWAY_SECONDS = 10
"""By how much two clocks may differ."""
LONGEST_TOKEN = 8_192
LONGEST_SECONDS = 366 * 86_400
"""A later end is as good as none: no socket, and no process, lives so long."""

SCOPE = "scope"
"""The claim (RFC 8693, 4.2) that makes a person an operator: `carillon:read carillon:manage`."""
_SCOPES = {f"carillon:{access}": access for access in SCOPES}
"""Under a name of our own: who signs for others, too, has scopes that mean something else."""

_USER_ID = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,128}")
_REQUIRED = ["exp", "iss", "aud", "sub"]
_BROKEN = (jwt.PyJWTError, ValueError, TypeError, OverflowError)
"""What a token may bring about that nobody of ours wrote."""


class Tokens:
    """Read tokens of all signers that are believed, and sign our own."""

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        given = settings.jwt_secret
        self._given = given.get_secret_value().encode() if given else None
        self._secrets = secrets
        self._jwks = _published_keys(settings.jwt_jwks_url)
        self._tenant_claim = settings.jwt_tenant_claim
        self._rate = parse_rate(settings.rate_limit_per_user)
        outside = (settings.jwt_issuer or OWN, settings.jwt_audience or OWN)
        self._own_parties = (OWN, OWN) if self._jwks else outside
        self._outside_parties = outside

    async def caller(self, token: str) -> Caller:
        """Find out who has a token.

        Raises:
            Refused: 401, it is none, not valid any more, or not for us.
            Transient: nobody can tell now.
        """
        try:
            header = jwt.get_unverified_header(token) if len(token) <= LONGEST_TOKEN else {}
        except _BROKEN:
            raise unauthorized() from None
        key, (issuer, audience) = await self._key(header)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[header["alg"]],
                issuer=issuer,
                audience=audience,
                leeway=LEEWAY_SECONDS,
                options={"require": _REQUIRED},
            )
        except jwt.ExpiredSignatureError:
            raise unauthorized("this token has expired") from None
        except _BROKEN:
            raise unauthorized() from None
        return self._person(claims)

    async def sign(self, tenant: str, user_id: str, *, seconds: int, scopes: Iterable[Access] = ()) -> str:
        """Write a token for a person, with the scopes of an operator if there are any."""
        issuer, audience = self._own_parties
        now = int(time.time())
        claims = {
            "iss": issuer,
            "aud": audience,
            "sub": user_id,
            self._tenant_claim: tenant,
            "iat": now,
            "exp": now + seconds,
        }
        if said := " ".join(sorted(f"carillon:{access}" for access in scopes)):
            claims[SCOPE] = said
        return jwt.encode(claims, await self._own_key(), algorithm=OWN_ALGORITHM)

    async def close(self) -> None:
        """Give up what is under way."""
        if self._jwks:
            await self._jwks.close()

    async def _key(self, header: dict[str, Any]) -> tuple[Any, tuple[str, str]]:
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm == OWN_ALGORITHM:
            return await self._own_key(), self._own_parties
        key = None
        if self._jwks and algorithm in {"RS256", "ES256"} and isinstance(key_id, str | None):
            key = await self._jwks.find(algorithm, key_id)
        if key is None:
            raise unauthorized()
        return key.key, self._outside_parties

    async def _own_key(self) -> bytes:
        return self._given or await self._secrets.get(SECRET)

    def _person(self, claims: dict[str, Any]) -> Caller:
        user_id, tenant = claims["sub"], claims.get(self._tenant_claim)
        if not isinstance(tenant, str) or not re.fullmatch(TENANT, tenant) or not _USER_ID.fullmatch(user_id):
            raise unauthorized("this token names no tenant, or no user")
        ends_at = min(int(claims["exp"]), int(time.time()) + LONGEST_SECONDS)  # it may have any number of digits
        seconds = max(0.0, ends_at + LEEWAY_SECONDS - time.time())
        return Caller(
            tenant=tenant,
            name=_safe_name(tenant, user_id),
            scopes=_scopes_of(claims.get(SCOPE)),
            user_id=user_id,
            rate=self._rate,
            valid_seconds=seconds,
        )


def looks_like_token(text: str) -> bool:
    """Tell a token from a key: three parts."""
    return text.count(".") == 2


def _published_keys(url: str | None) -> Jwks | None:
    if url is None:
        return None
    from shared.auth.jwks import Jwks  # its HTTP client is not loaded where nobody else signs

    return Jwks(url)


def _scopes_of(claim: object) -> frozenset[Access]:
    """Read the scopes of an operator; whatever else is said there is not for us."""
    words = claim.split(" ") if isinstance(claim, str) else ()
    return frozenset(_SCOPES[word] for word in words if word in _SCOPES)


def _safe_name(tenant: str, user_id: str) -> str:
    """Name a person in a log and a record: a user's id may be somebody's address."""
    whole = f"{tenant}\0{user_id}".encode()
    return f"person:{hashlib.sha256(whole).hexdigest()[:16]}"
