"""Google's token endpoint: a signed claim comes in (RFC 7523), an access token goes out.

The signature is checked with another library than the one that made it.
"""

from __future__ import annotations

import binascii
import json
import secrets
import time
from base64 import urlsafe_b64decode
from collections import deque
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
LIFETIME_SECONDS = 3600
SKEW_SECONDS = 300
PROJECT, EMAIL, KEY_ID = "sandbox", "carillon@sandbox.iam.gserviceaccount.com", "sandbox"


class ClaimRefused(Exception):
    """The claim is not one that the account signed for us. Names the reason, as Google does."""


class Account:
    """The service account of the sandbox. Its key is made when somebody first asks for it."""

    @cached_property
    def _key(self) -> RSAPrivateKey:
        from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

        return generate_private_key(public_exponent=65537, key_size=2048)

    def document(self, token_uri: str) -> str:
        """Write the file that Firebase's console would give."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        key = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        named = {"type": "service_account", "project_id": PROJECT, "client_email": EMAIL, "private_key_id": KEY_ID}
        return json.dumps({**named, "private_key": key, "token_uri": token_uri})

    def check(self, assertion: str, token_uri: str) -> None:
        """Let a claim pass that this account has signed for this endpoint, an hour ago at most.

        Raises:
            ClaimRefused: it is another.
        """
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        signed, _, signature = assertion.rpartition(".")
        header, _, claims = signed.partition(".")
        if _part(header).get("alg") != "RS256":
            raise ClaimRefused("Invalid JWT: it must be signed with RS256")
        _check_claims(_part(claims), token_uri)
        try:
            self._key.public_key().verify(_bytes(signature), signed.encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            raise ClaimRefused("Invalid JWT Signature.") from None


class Login:
    """The tokens that were given out: the newest, for an hour each."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._given: deque[tuple[str, float]] = deque(maxlen=100)

    def answer(self, form: Mapping[str, Any], token_uri: str) -> tuple[int, dict[str, Any]]:
        """Answer a request for a token."""
        if form.get("grant_type") != GRANT:
            return 400, {"error": "unsupported_grant_type", "error_description": "Invalid grant_type"}
        try:
            self._account.check(str(form.get("assertion", "")), token_uri)
        except ClaimRefused as refused:
            return 400, {"error": "invalid_grant", "error_description": str(refused)}
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self._given.append((token, time.monotonic() + LIFETIME_SECONDS))
        return 200, {"access_token": token, "expires_in": LIFETIME_SECONDS - 1, "token_type": "Bearer"}

    def knows(self, authorization: str) -> bool:
        """Tell whether a header carries a token that counts."""
        now = time.monotonic()
        return any(authorization == f"Bearer {token}" and now < until for token, until in self._given)

    def revoke(self) -> None:
        """Let no token count that was given out."""
        self._given.clear()


def _check_claims(claims: Mapping[str, Any], token_uri: str) -> None:
    now, issued, ends = time.time(), claims.get("iat"), claims.get("exp")
    if claims.get("iss") != EMAIL:
        raise ClaimRefused("Invalid grant: account not found")
    if claims.get("aud") != token_uri or SCOPE not in str(claims.get("scope")).split():
        raise ClaimRefused("Invalid JWT: its audience or scope is another")
    if not isinstance(issued, int) or not isinstance(ends, int) or not _is_timely(issued, ends, now):
        raise ClaimRefused("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.")


def _is_timely(issued: int, ends: int, now: float) -> bool:
    return ends - issued <= LIFETIME_SECONDS and issued - SKEW_SECONDS <= now < ends + SKEW_SECONDS


def _part(text: str) -> dict[str, Any]:
    try:
        document = json.loads(_bytes(text))
    except ValueError:
        raise ClaimRefused("Invalid JWT: a part of it is no JSON") from None
    return document if isinstance(document, dict) else {}


def _bytes(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise ClaimRefused("Invalid JWT: a part of it is no base64") from None
