"""The public keys of whoever signs people's tokens, fetched from where it publishes them (RFC 7517)."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import jwt
from jwt import PyJWK

from shared.errors import Transient

DEADLINE_SECONDS = 3.0
REFRESH_SECONDS = 300.0
"""How old the keys may become before they are fetched again, beside the requests."""
LONGEST_SECONDS = 3600.0
"""How long keys are believed while nobody answers."""
PAUSE_SECONDS = 10.0
"""Between two fetches: a flood of made-up key ids is no flood of requests."""
MAX_BYTES, MAX_KEYS = 262_144, 100
MIN_RSA_BITS = 2048

_ALGORITHM_OF = {("RSA", None): "RS256", ("EC", "P-256"): "ES256"}

log = logging.getLogger(__name__)

Found = dict[tuple[str, str | None], PyJWK]


class SignerUnavailable(Transient):
    """The keys of whoever signs tokens cannot be fetched, so nobody knows whether a token is good."""


class Jwks:
    """The keys of one signer."""

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._keys: Found = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, algorithm: str, key_id: str | None) -> PyJWK | None:
        """Find a key; None if the signer has none of that id.

        Raises:
            SignerUnavailable: it does not answer.
        """
        key = self._known(algorithm, key_id)
        if key and self._age() <= REFRESH_SECONDS:
            return key
        may_ask = self._tried_at is None or self._clock() - self._tried_at >= PAUSE_SECONDS
        if self._fetching is None and may_ask:
            self._tried_at = self._clock()
            self._fetching = asyncio.create_task(self._fetch())
        if key and self._age() <= LONGEST_SECONDS:
            return key
        if self._fetching:
            await asyncio.shield(self._fetching)
        if self._fetched_at is None or self._fetched_at < (self._tried_at or 0) or self._age() > LONGEST_SECONDS:
            raise SignerUnavailable("the keys of whoever signs tokens cannot be fetched")
        return self._known(algorithm, key_id)

    async def close(self) -> None:
        """Give up what is under way."""
        if self._fetching:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _age(self) -> float:
        return float("inf") if self._fetched_at is None else self._clock() - self._fetched_at

    def _known(self, algorithm: str, key_id: str | None) -> PyJWK | None:
        """Look for a key; one without an id is meant if it is the only one of its kind."""
        if key_id is not None:
            return self._keys.get((algorithm, key_id))
        fitting = [key for (kind, _), key in self._keys.items() if kind == algorithm]
        return fitting[0] if len(fitting) == 1 else None

    async def _fetch(self) -> None:
        began_at = self._clock()
        try:
            self._keys = read_keys(await _get(self._url))
            self._fetched_at = began_at
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as failure:  # a timeout is an OSError
            log.warning("the keys of tokens cannot be fetched", extra={"error": type(failure).__name__})
        finally:
            self._fetching = None


async def _get(url: str) -> bytes:
    timeout = aiohttp.ClientTimeout(total=DEADLINE_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url, allow_redirects=False) as answer:
        if answer.status != 200:
            raise ValueError("no keys there")
        body = b""
        async for chunk in answer.content.iter_chunked(16_384):
            body += chunk
            if len(body) > MAX_BYTES:
                raise ValueError("too long")
        return body


def read_keys(body: bytes) -> Found:
    """Read a key set, leaving out what is for something else, or too weak.

    Raises:
        ValueError: it is no key set.
    """
    document: Any = json.loads(body)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("no key set")
    found: Found = {}
    for entry in entries[:MAX_KEYS]:
        key = _read_key(entry)
        if key:
            found[key.algorithm_name, key.key_id] = key
    return found


def _read_key(entry: Any) -> PyJWK | None:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or "d" in entry:
        return None
    kind, curve = entry.get("kty"), entry.get("crv")
    algorithm = _ALGORITHM_OF.get((kind, curve)) if isinstance(kind, str) and isinstance(curve, str | None) else None
    if algorithm is None or entry.get("alg", algorithm) != algorithm:
        return None
    try:
        key = PyJWK(entry, algorithm=algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    is_weak = algorithm == "RS256" and key.key.key_size < MIN_RSA_BITS
    return None if is_weak or not isinstance(key.key_id, str | None) else key
