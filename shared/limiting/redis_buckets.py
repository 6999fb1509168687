"""Limits over all replicas: the same algorithm as one script in Redis, by Redis's own clock."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from shared.coalesce import Coalescer
from shared.limiting.limits import RedisAway
from shared.rates import Rate, Verdict

PREFIX = "carillon:limit:"
DEADLINE_SECONDS = 0.1
"""A limit is not worth more waiting than that."""

_SCRIPT = """
local at = redis.call('TIME')
local now = at[1] * 1000000 + at[2]
local interval, period, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local due = tonumber(redis.call('GET', KEYS[1]) or now)
if due < now then due = now end
local following = due + cost * interval
if following - now > period then return {0, string.format('%.0f', due - now)} end
redis.call('SET', KEYS[1], string.format('%.0f', following), 'PX', math.ceil((following - now) / 1000) + 1)
return {1, string.format('%.0f', following - now)}
"""
"""`shared.rates.decide`, in microseconds. A key lives as long as its caller is ahead."""


_SHA = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()
MOST_TOGETHER, MOST_WAITING = 200, 5_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One call that Redis is asked about."""

    caller: str
    rate: Rate
    cost: int

    def arguments(self) -> tuple[str, float, int, int]:
        """Write what the script takes: microseconds."""
        return (PREFIX + self.caller, self.rate.interval_seconds * 1e6, self.rate.period_seconds * 1_000_000, self.cost)


class RedisBuckets:
    """One moment for each caller, in Redis. Who asks while others are being answered goes together with the next."""

    def __init__(self, url: str, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._deadline_seconds = deadline_seconds
        self._redis: Redis = Redis.from_url(
            url,
            socket_connect_timeout=deadline_seconds,
            socket_timeout=deadline_seconds,
            retry=Retry(NoBackoff(), 1),  # a connection that was cut while it rested is made anew, once
        )
        self._asking: Coalescer[Asked, Verdict] = Coalescer(self._ask, max_size=MOST_TOGETHER, flushers=2)

    async def take(self, caller: str, rate: Rate, cost: int = 1) -> Verdict:
        """Judge a call, and count it if it is let through.

        Raises:
            RedisAway: it cannot be judged here now.
        """
        if len(self._asking) >= MOST_WAITING:
            raise RedisAway("as many calls wait as may")
        return await self._asking.submit(Asked(caller, rate, min(cost, rate.calls)))

    async def close(self) -> None:
        """Let the connections go."""
        await self._asking.close()
        await self._redis.aclose()

    async def _ask(self, calls: Sequence[Asked]) -> Sequence[Verdict]:
        try:
            async with asyncio.timeout(self._deadline_seconds):
                answers = await self._run(calls)
                if any(isinstance(answer, NoScriptError) for answer in answers):  # the first time, or it was restarted
                    await self._redis.script_load(_SCRIPT)
                    answers = await self._run(calls)
            return [_verdict(call, answer) for call, answer in zip(calls, answers, strict=True)]
        except (RedisError, OSError, ValueError, TypeError, IndexError) as failure:  # a timeout is an OSError
            raise RedisAway(type(failure).__name__) from failure

    async def _run(self, calls: Sequence[Asked]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for call in calls:
                pipe.evalsha(_SHA, 1, *call.arguments())
            return list(await pipe.execute(raise_on_error=False))


def _verdict(asked: Asked, answer: Any) -> Verdict:
    if isinstance(answer, Exception):
        raise answer
    is_allowed, ahead_microseconds = answer
    return Verdict(
        rate=asked.rate, is_allowed=bool(is_allowed), ahead_seconds=int(ahead_microseconds) / 1e6, cost=asked.cost
    )
