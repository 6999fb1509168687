"""Bugs at the gate: keys, tokens, limits, and whom they let in."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

KEYS = "tests/integration/test_keys_over_http.py"
ISOLATION = "tests/integration/test_isolation.py"
TOKENS = "tests/unit/test_tokens.py"
TOKENS_OVER_HTTP = "tests/integration/test_tokens_over_http.py"
JWKS = "tests/contract/test_jwks.py"
LIMITS = "tests/contract/test_limits.py"
LIMITS_OVER_HTTP = "tests/integration/test_limits_over_http.py"

PLANTED = (
    Mutant(
        name="any-key-opens",
        breaks="With keys set, every call needs one of them.",
        file="shared/auth/keys.py",
        text="if caller is None:",
        instead="if not key:",
        looks_at=("tests/unit/test_auth.py",),
    ),
    Mutant(
        name="key-remembered-for-ever",
        breaks="A key that was revoked stops within seconds, everywhere.",
        file="shared/auth/key_book.py",
        text="if entry is None or entry.fresh_until <= self._clock():",
        instead="if entry is None:",
        looks_at=(KEYS,),
    ),
    Mutant(
        name="revoked-key-found",
        breaks="A key that was revoked opens nothing.",
        file="shared/store/keys.py",
        text='_IS_LIVE = "revoked_at IS NULL AND (',
        instead='_IS_LIVE = "true AND (',
        looks_at=(KEYS,),
    ),
    Mutant(
        name="key-remembered-beyond-its-end",
        breaks="A key ends when it expires, however well it is remembered.",
        file="shared/auth/key_book.py",
        text="fresh_until=asked_at + min(FRESH_SECONDS, lives),",
        instead="fresh_until=asked_at + FRESH_SECONDS,",
        looks_at=(KEYS,),
    ),
    Mutant(
        name="grace-prolongs-a-key",
        breaks="A key that was rotated never lives longer than it would have.",
        file="shared/store/keys.py",
        text="expires_at = least(expires_at, clock_timestamp() + make_interval(secs => %s))",
        instead="expires_at = clock_timestamp() + make_interval(secs => %s)",
        looks_at=(KEYS,),
    ),
    Mutant(
        name="unknown-keys-without-bound",
        breaks="What is remembered of keys is bounded, those that nobody has too.",
        file="shared/auth/key_book.py",
        text="if len(self._entries) > MOST_REMEMBERED:",
        instead="if False:",
        looks_at=(KEYS,),
    ),
    Mutant(
        name="key-of-another-tenant-revoked",
        breaks="A tenant revokes its own keys alone.",
        file="shared/store/keys.py",
        text="coalesce(revoked_at, clock_timestamp()) WHERE tenant = %s AND id",
        instead="coalesce(revoked_at, clock_timestamp()) WHERE tenant <> %s || '-' AND id",
        looks_at=(ISOLATION,),
    ),
    Mutant(
        name="any-scope-is-enough",
        breaks="A key opens what its scopes say, and nothing else.",
        file="shared/auth/gate.py",
        text="if not caller.may(operation.access):",
        instead="if not caller.scopes:",
        looks_at=(ISOLATION,),
    ),
    Mutant(
        name="any-person-is-enough",
        breaks="A person's token opens what is that person's, and nothing else.",
        file="shared/access.py",
        text="return self.user_id == user_id",
        instead="return True",
        looks_at=(ISOLATION,),
    ),
    Mutant(
        name="token-for-somebody-else",
        breaks="A token that was made for another audience opens nothing here.",
        file="shared/auth/tokens.py",
        text='options={"require": _REQUIRED},',
        instead='options={"require": _REQUIRED, "verify_aud": False},',
        looks_at=(TOKENS,),
    ),
    Mutant(
        name="token-without-an-end",
        breaks="A token ends.",
        file="shared/auth/tokens.py",
        text='_REQUIRED = ["exp", "iss", "aud", "sub"]',
        instead='_REQUIRED = ["iss", "aud", "sub"]',
        looks_at=(TOKENS,),
    ),
    Mutant(
        name="token-that-breaks-its-reader",
        breaks="Whatever stands in a token, it is never a failure of ours.",
        file="shared/auth/tokens.py",
        text='ends_at = min(int(claims["exp"]), int(time.time()) + LONGEST_SECONDS)',
        instead='ends_at = int(claims["exp"])',
        looks_at=(TOKENS,),
    ),
    Mutant(
        name="withdrawn-signer-believed",
        breaks="A public key that its signer has withdrawn is not believed for long.",
        file="shared/auth/jwks.py",
        text="if key and self._age() <= REFRESH_SECONDS:",
        instead="if key:",
        looks_at=(JWKS,),
    ),
    Mutant(
        name="flood-of-key-ids",
        breaks="A flood of made-up key ids is no flood of requests to the signer.",
        file="shared/auth/jwks.py",
        text="self._clock() - self._tried_at >= PAUSE_SECONDS",
        instead="self._clock() - self._tried_at >= 0",
        looks_at=(JWKS,),
    ),
    Mutant(
        name="signer-away-is-a-refusal",
        breaks="While a signer is away nobody is told that their token is not good.",
        file="shared/auth/jwks.py",
        text='raise SignerUnavailable("the keys of whoever signs tokens cannot be fetched")',
        instead="return None",
        looks_at=(JWKS,),
    ),
    Mutant(
        name="key-in-an-address",
        breaks="A key does not belong into an address, which is written down everywhere.",
        file="shared/auth/credentials.py",
        text='return Shown(connection.query_params.get("token", ""), may_be_key=False)',
        instead='return Shown(connection.query_params.get("token", ""))',
        looks_at=(TOKENS_OVER_HTTP,),
    ),
    Mutant(
        name="socket-outlives-its-token",
        breaks="A socket ends with the token that opened it.",
        file="functions/realtime/sockets.py",
        text="_outlive(valid_seconds)",
        instead="_outlive(None)",
        looks_at=(TOKENS_OVER_HTTP,),
    ),
    Mutant(
        name="refused-call-counts",
        breaks="A call that was refused costs nothing.",
        file="shared/rates.py",
        text="kept = following if is_allowed else due_at",
        instead="kept = following",
        looks_at=("tests/unit/test_rates.py",),
    ),
    Mutant(
        name="batch-counts-as-one",
        breaks="A batch counts as many calls as it has events.",
        file="functions/ingest/posting.py",
        text="await self._gate.charge(request, caller, len(items) - 1)",
        instead="await self._gate.charge(request, caller, 0)",
        looks_at=(LIMITS_OVER_HTTP,),
    ),
    Mutant(
        name="redis-counts-nothing",
        breaks="Several processes share one limit where there is a Redis.",
        file="shared/limiting/redis_buckets.py",
        text="if following - now > period then",
        instead="if false then",
        looks_at=(LIMITS,),
    ),
    Mutant(
        name="redis-away-is-a-failure",
        breaks="While Redis is away each process limits its own callers, and nobody is turned away for it.",
        file="shared/limiting/limits.py",
        text="except RedisAway as away:",
        instead="except ZeroDivisionError as away:",
        looks_at=(LIMITS,),
    ),
)
