"""People's tokens: which are believed, whose they are, and what is said of the others."""

from __future__ import annotations

import contextlib
import time
from typing import Any, cast

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.access import Access, Caller
from shared.auth.tokens import SECRET as OWN_SECRET
from shared.auth.tokens import Tokens
from shared.errors import Refused
from shared.settings import Settings
from shared.store.secrets import Secrets
from tests.signers import DAY, SECRET, by_hand, claims, rsa_key, signed


class OneSecret:
    """The installation's own secret."""

    async def get(self, name: str) -> bytes:
        """Read it."""
        assert name == OWN_SECRET
        return b"the installation's own secret, 32 bytes"


def tokens(**settings: Any) -> Tokens:
    return Tokens(Settings(**{"jwt_secret": SECRET, **settings}), cast(Secrets, OneSecret()))


async def refusal(token: str, **settings: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        await tokens(**settings).caller(token)
    return caught.value


async def test_a_token_says_whose_it_is_and_opens_nothing_but_that() -> None:
    caller = await tokens().caller(signed())

    assert (caller.tenant, caller.user_id, caller.scopes) == ("acme", "7", frozenset())
    assert caller.may_be("7", is_reading=False)
    assert not any(caller.may(access) for access in Access if access is not Access.PUBLIC)
    assert 0 <= (caller.valid_seconds or 0) - DAY <= 10


async def test_a_token_with_scopes_of_ours_makes_an_operator_who_is_that_person_too() -> None:
    caller = await tokens().caller(signed(scope="openid carillon:read carillon:manage"))

    assert (caller.user_id, caller.scopes) == ("7", frozenset({Access.READ, Access.MANAGE}))
    assert caller.may(Access.MANAGE)
    assert not caller.may(Access.ADMIN)
    assert caller.may_be("7", is_reading=False)
    assert caller.may_be("8", is_reading=False)


async def test_an_operator_who_may_only_read_changes_nothing_of_others() -> None:
    caller = await tokens().caller(signed(scope="carillon:read"))

    assert caller.may_be("8", is_reading=True)
    assert not caller.may_be("8", is_reading=False)
    assert caller.may_be("7", is_reading=False)


IGNORED = [
    *("read manage", "carillon:", "carillon:person", "carillon:public", "CARILLON:read", "xcarillon:read", ""),
    *("carillon:read,carillon:manage", "carillon:read\tcarillon:admin"),
    *(["carillon:read"], {"carillon:read": 1}, 7),
]


@pytest.mark.parametrize("scope", IGNORED)
async def test_what_else_stands_in_the_scope_is_ignored(scope: object) -> None:
    caller = await tokens().caller(signed(scope=scope))

    assert (caller.user_id, caller.scopes) == ("7", frozenset())
    assert not caller.may_be("8", is_reading=True)


async def test_what_we_sign_with_scopes_has_them_and_without_any_has_no_such_claim() -> None:
    own = tokens()

    operator = await own.sign("acme", "7", seconds=60, scopes=[Access.READ, Access.SEND])
    person = await own.sign("acme", "7", seconds=60)

    assert (await own.caller(operator)).scopes == frozenset({Access.READ, Access.SEND})
    assert "scope" not in jwt.decode(person, options={"verify_signature": False})


async def test_a_person_is_named_without_their_id_which_may_be_an_address() -> None:
    callers = [await tokens().caller(signed(sub=sub)) for sub in ("ada@example.test", "7", "7")]

    assert "ada" not in callers[0].name
    assert callers[0].name != callers[1].name == callers[2].name


async def test_what_we_sign_we_believe() -> None:
    for settings in ({}, {"jwt_secret": None}, {"jwt_issuer": "shop", "jwt_audience": "notify"}):
        own = tokens(**settings)

        caller = await own.caller(await own.sign("globex", "ada@example.test", seconds=300))

        assert (caller.tenant, caller.user_id) == ("globex", "ada@example.test")


async def test_two_processes_share_the_secret_that_nobody_set() -> None:
    token = await tokens(jwt_secret=None).sign("acme", "7", seconds=60)

    assert (await tokens(jwt_secret=None).caller(token)).user_id == "7"
    assert (await refusal(token)).status == 401


async def test_the_tenant_may_be_in_another_claim() -> None:
    caller = await tokens(jwt_tenant_claim="org").caller(signed(tenant=None, org="globex"))

    assert caller.tenant == "globex"


async def test_several_audiences_may_be_named() -> None:
    assert isinstance(await tokens().caller(signed(aud=["shop", "carillon"])), Caller)


async def test_a_token_may_end_later_than_anything_lasts() -> None:
    caller = await tokens().caller(signed(exp=10**400))

    assert 365 * 86_400 < (caller.valid_seconds or 0) < 367 * 86_400


NOW = int(time.time())
HS256 = {"alg": "HS256", "typ": "JWT"}
NESTED = "W1tb" * 2000  # [[[[... in base64: as deep as a token is long

FORGED = {
    "signed with another secret": signed("another secret that has more than 32 bytes"),
    "signed with an empty secret": by_hand(HS256, claims(), b"\0"),
    "signed with the installation's own secret while another is set": signed(
        b"the installation's own secret, 32 bytes"
    ),
    "not signed": by_hand({"alg": "none"}, claims()),
    "not signed, spelt otherwise": by_hand({"alg": "nOnE"}, claims()),
    "without an algorithm": by_hand({"typ": "JWT"}, claims(), SECRET.encode()),
    "with an algorithm that is no text": by_hand({"alg": ["HS256"]}, claims(), SECRET.encode()),
    "with a stronger algorithm than ours": signed(SECRET * 2, algorithm="HS512"),
    "with somebody's private key": jwt.encode(claims(), rsa_key(), algorithm="RS256"),
    "with an extension that must be understood": by_hand({**HS256, "crit": ["x"], "x": 1}, claims(), SECRET.encode()),
    "for another audience": signed(aud="shop"),
    "for no audience": signed(aud=None),
    "by another issuer": signed(iss="somebody"),
    "by an issuer whose name ours is part of": signed(iss="carillonx"),
    "by no issuer": signed(iss=None),
    "without an end": signed(exp=None),
    "with an end that is no time": by_hand(HS256, claims(exp="soon"), SECRET.encode()),
    "with an end beyond all numbers": by_hand(HS256, claims(exp=float("inf")), SECRET.encode()),
    "not valid yet": signed(nbf=NOW + 3600),
    "of nobody": signed(sub=None),
    "of a number": by_hand(HS256, claims(sub=7), SECRET.encode()),
    "of an empty name": signed(sub=""),
    "of a name with a line break": signed(sub="7\n"),
    "of half a character": signed(sub="\ud800"),
    "of a name that is too long": signed(sub="7" * 129),
    "of no tenant": signed(tenant=None),
    "of a tenant that is a list": signed(tenant=["acme"]),
    "of a tenant that cannot be": signed(tenant="Acme Corp"),
    "with a list for claims": by_hand(HS256, cast(dict[str, Any], ["acme"]), SECRET.encode()),
    "cut": signed()[:-5],
    "too long": signed(padding="x" * 9000),
    "nested": f"{NESTED}.e30.c2ln",
    "nested inside": by_hand(HS256, {"a": 1}, SECRET.encode()).replace(".", f".{NESTED}", 1),
    "empty": "..",
    "not of this alphabet": "é.é.é",
}


@pytest.mark.parametrize("kind", FORGED)
async def test_a_token_that_is_not_good_is_refused_without_repeating_it(kind: str) -> None:
    refused = await refusal(FORGED[kind])

    assert refused.status == 401
    assert FORGED[kind] not in refused.detail + repr(refused)
    assert "acme" not in refused.detail


NAMES = st.sampled_from(
    ["alg", "typ", "kid", "crit", "scope", "iss", "aud", "sub", "tenant", "iat", "nbf", "exp", "jti"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


READER = tokens()


@given(strange=st.dictionaries(NAMES, VALUES, min_size=1, max_size=3))
def test_whatever_a_signer_writes_is_believed_or_refused(strange: dict[str, Any]) -> None:
    header = {**HS256, **{name: value for name, value in strange.items() if name in {"alg", "typ", "kid", "crit"}}}
    payload = {**claims(), **{name: value for name, value in strange.items() if name not in header}}
    token = by_hand(header, payload, SECRET.encode())

    with contextlib.suppress(Refused, StopIteration):
        READER.caller(token).send(None)  # it waits for nothing, so it needs no loop


async def test_a_token_that_has_expired_is_told_so() -> None:
    refused = await refusal(signed(exp=NOW - 60))

    assert (refused.status, refused.detail) == (401, "this token has expired")


async def test_an_issuer_and_an_audience_that_are_set_are_asked_for() -> None:
    said = {"jwt_issuer": "https://login.example.test", "jwt_audience": "notify"}

    caller = await tokens(**said).caller(signed(iss="https://login.example.test", aud="notify"))

    assert caller.user_id == "7"
    assert (await refusal(signed(), **said)).status == 401
