"""Who signs tokens in tests: with a secret, with a private key, or as an attacker does, by hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

SECRET = "a secret of the tests that has more than 32 bytes"
DAY = 86_400


def claims(**more: Any) -> dict[str, Any]:
    """Write the claims of a good token; a claim of None is left out.

    It holds for longer than any run of the tests: some are signed when tests are collected, minutes before they run.
    """
    now = int(time.time())
    whole = {"iss": "carillon", "aud": "carillon", "sub": "7", "tenant": "acme", "iat": now, "exp": now + DAY, **more}
    return {name: value for name, value in whole.items() if value is not None}


def signed(secret: str | bytes = SECRET, algorithm: str = "HS256", **more: Any) -> str:
    """Sign with a secret."""
    return jwt.encode(claims(**more), secret, algorithm=algorithm)


def by_hand(header: dict[str, Any], payload: dict[str, Any], secret: bytes = b"") -> str:
    """Write a token as somebody does whom no library stops; without a secret it is not signed."""
    parts = [_encoded(json.dumps(part).encode()) for part in (header, payload)]
    signature = hmac.digest(secret, ".".join(parts).encode(), hashlib.sha256) if secret else b""
    return ".".join([*parts, _encoded(signature)])


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Make a key once: it takes its time."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    """Make a key once."""
    return ec.generate_private_key(ec.SECP256R1())


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    """Write a public key as it lies about everywhere."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def as_jwk(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, kid: str | None, **more: Any) -> dict[str, Any]:
    """Write a public key as its signer publishes it."""
    if isinstance(key, rsa.RSAPrivateKey):
        document: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
    else:
        document = json.loads(ECAlgorithm.to_jwk(key.public_key()))
    whole = {name: value for name, value in document.items() if name not in {"key_ops", "alg"}}
    return whole | ({"kid": kid} if kid else {}) | {"use": "sig"} | more


class Publisher:
    """A signer's server, which publishes keys, or something else, and counts who asks."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.answer: web.Response | None = None
        self.calls = 0
        self.url = ""

    async def publish(self, _: web.Request) -> web.Response:
        """Answer with the keys, or with what was put in their place."""
        self.calls += 1
        return self.answer or web.json_response({"keys": self.keys})


@asynccontextmanager
async def publisher() -> AsyncIterator[Publisher]:
    """Serve a publisher on a port of its own."""
    one, app = Publisher(), web.Application()
    app.router.add_get("/jwks.json", one.publish)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks.json"
    try:
        yield one
    finally:
        await runner.cleanup()
