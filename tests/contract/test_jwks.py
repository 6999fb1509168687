"""Public keys of tokens, from a signer that answers, rotates its keys, lies, or is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import jwt
import pytest
from aiohttp import web

from shared.auth import jwks
from shared.auth.jwks import Jwks, SignerUnavailable, read_keys
from shared.auth.tokens import Tokens
from shared.errors import Refused
from shared.settings import Settings
from shared.store.secrets import Secrets
from tests.contract.listening import eventually
from tests.signers import Publisher, as_jwk, by_hand, claims, ec_key, public_pem, publisher, rsa_key
from tests.unit.test_tokens import OneSecret

PARTIES = {"iss": "https://login.example.test", "aud": "notify"}


@pytest.fixture
async def signer() -> AsyncIterator[Publisher]:
    async with publisher() as one:
        one.keys = [as_jwk(rsa_key(), "first", alg="RS256"), as_jwk(ec_key(), "second")]
        yield one


@pytest.fixture
async def tokens(signer: Publisher) -> AsyncIterator[Tokens]:
    settings = Settings(jwt_jwks_url=signer.url, jwt_issuer=PARTIES["iss"], jwt_audience=PARTIES["aud"])
    opened = Tokens(settings, cast(Secrets, OneSecret()))
    yield opened
    await opened.close()


def signed(key: Any = None, kid: str | None = "first", algorithm: str = "RS256", **more: Any) -> str:
    headers = {"kid": kid} if kid else None
    return jwt.encode(claims(**PARTIES, **more), key or rsa_key(), algorithm=algorithm, headers=headers)


async def refused(tokens: Tokens, token: str) -> int:
    with pytest.raises(Refused) as caught:
        await tokens.caller(token)
    return caught.value.status


async def test_a_token_that_fits_a_published_key_is_believed(tokens: Tokens, signer: Publisher) -> None:
    callers = [
        await tokens.caller(signed()),
        await tokens.caller(signed(ec_key(), "second", "ES256")),
        await tokens.caller(signed(kid=None)),
    ]

    assert [caller.user_id for caller in callers] == ["7", "7", "7"]
    assert signer.calls == 1


async def test_many_at_once_ask_once(tokens: Tokens, signer: Publisher) -> None:
    await asyncio.gather(*(tokens.caller(signed()) for _ in range(20)))

    assert signer.calls == 1


async def test_a_token_that_fits_no_published_key_is_refused(tokens: Tokens) -> None:
    public = public_pem(rsa_key())
    forged = {
        "another key under a published id": signed(rsa_key(1)),
        "a key of the wrong kind": signed(ec_key(), "first", "ES256"),
        "the other algorithm of the family": signed(algorithm="RS512"),
        "a secret that is the public key": by_hand({"alg": "HS256", "kid": "first"}, claims(**PARTIES), public),
        "a secret that is the public key, with our own names": by_hand({"alg": "HS256"}, claims(), public),
        "not signed": by_hand({"alg": "none", "kid": "first"}, claims(**PARTIES)),
        "an id that is no text": by_hand({"alg": "RS256", "kid": ["first"]}, claims(**PARTIES)),
        "our own names": jwt.encode(claims(), rsa_key(), algorithm="RS256", headers={"kid": "first"}),
        "for nobody": signed(sub=None),
        "expired": signed(exp=1),
    }

    assert {kind: await refused(tokens, token) for kind, token in forged.items()} == dict.fromkeys(forged, 401)


async def test_beside_published_keys_we_still_sign_our_own(tokens: Tokens) -> None:
    token = await tokens.sign("acme", "8", seconds=60)

    assert (await tokens.caller(token)).user_id == "8"


class Asked:
    """A signer's keys with a clock that is turned."""

    def __init__(self, signer: Publisher) -> None:
        self.now = 1000.0
        self.jwks = Jwks(signer.url, clock=lambda: self.now)


@pytest.fixture
async def asked(signer: Publisher) -> AsyncIterator[Asked]:
    opened = Asked(signer)
    yield opened
    await opened.jwks.close()


async def test_an_unknown_key_is_asked_for_but_seldom(asked: Asked, signer: Publisher) -> None:
    unknown = [await asked.jwks.find("RS256", f"made-up-{number}") for number in range(5)]
    signer.keys.append(as_jwk(rsa_key(1), "third"))
    too_soon = await asked.jwks.find("RS256", "third")
    asked.now += jwks.PAUSE_SECONDS

    assert unknown == [None] * 5
    assert too_soon is None
    assert await asked.jwks.find("RS256", "third")
    assert signer.calls == 2


async def test_a_key_that_was_withdrawn_is_not_believed_for_long(asked: Asked, signer: Publisher) -> None:
    before = await asked.jwks.find("RS256", "first")
    signer.keys.clear()
    asked.now += jwks.REFRESH_SECONDS + 1

    meanwhile = await asked.jwks.find("RS256", "first")
    await eventually(lambda: signer.calls == 2 and asked.jwks._fetching is None)

    assert meanwhile is before is not None
    assert await asked.jwks.find("RS256", "first") is None


NO_KEYS = {
    "an error": lambda: web.Response(status=500),
    "a redirect": lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
    "no JSON": lambda: web.Response(text="<html>"),
    "JSON without a bottom": lambda: web.Response(text="[" * 100_000),
    "no key set": lambda: web.json_response(["keys"]),
    "too much": lambda: web.Response(text='{"keys": []' + " " * jwks.MAX_BYTES + "}"),
}


@pytest.mark.parametrize("kind", NO_KEYS)
async def test_while_the_signer_gives_no_keys_nobody_can_tell_and_known_keys_are_believed_for_an_hour(
    kind: str, asked: Asked, signer: Publisher
) -> None:
    signer.answer = NO_KEYS[kind]()
    with pytest.raises(SignerUnavailable):
        await asked.jwks.find("RS256", "first")
    signer.answer, asked.now = None, asked.now + jwks.PAUSE_SECONDS
    assert await asked.jwks.find("RS256", "first")

    signer.answer, asked.now = NO_KEYS[kind](), asked.now + jwks.LONGEST_SECONDS - 1
    believed = await asked.jwks.find("RS256", "first")
    await eventually(lambda: asked.jwks._fetching is None)
    with pytest.raises(SignerUnavailable):
        await asked.jwks.find("RS256", "unknown")
    asked.now += 2
    with pytest.raises(SignerUnavailable):
        await asked.jwks.find("RS256", "first")

    assert believed is not None


async def test_a_signer_that_says_nothing_is_not_waited_for_long(
    asked: Asked, signer: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "DEADLINE_SECONDS", 0.05)
    is_over = asyncio.Event()

    async def nothing(_: web.Request) -> web.Response:
        await is_over.wait()
        return web.Response()

    app = web.Application()
    app.router.add_get("/", nothing)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    silent = Jwks(f"http://127.0.0.1:{runner.addresses[0][1]}/")

    with pytest.raises(SignerUnavailable):
        await asyncio.wait_for(silent.find("RS256", "first"), 10)
    is_over.set()  # a server that is cleaned up waits for its requests
    await runner.cleanup()


def test_of_a_key_set_only_what_signs_and_is_strong_is_read() -> None:
    weak, good = as_jwk(rsa_key(bits=1024), "weak"), as_jwk(rsa_key(), "good")
    entries: list[Any] = [
        weak,
        as_jwk(rsa_key(), "for-encryption", use="enc"),
        as_jwk(rsa_key(), "for-another-algorithm", alg="PS256"),
        as_jwk(rsa_key(), "private", d="AQAB"),
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0", "use": "sig"},
        {"kty": "EC", "crv": "P-256K", "kid": "curve"},
        {"kty": "RSA", "kid": "broken", "n": "?", "e": 3},
        {"kty": ["RSA"], "kid": "list"},
        {"kty": "RSA", "n": None},
        {**good, "kid": 7},
        "text",
        good,
    ]

    found = read_keys(json.dumps({"keys": entries}).encode())

    assert list(found) == [("RS256", "good")]
