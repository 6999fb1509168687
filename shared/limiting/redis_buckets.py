"""Limits over all replicas: the same algorithm as one script in Redis, by Redis's own clock."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from shared.errors import Transient
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


class RedisAway(Transient):
    """Redis did not answer in time, or not as it should."""


class RedisBuckets:
    """One moment for each caller, in Redis."""

    def __init__(self, url: str, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._deadline_seconds = deadline_seconds
        self._redis: Redis = Redis.from_url(
            url,
            socket_connect_timeout=deadline_seconds,
            socket_timeout=deadline_seconds,
            retry=Retry(NoBackoff(), 1),  # a connection that was cut while it rested is made anew, once
            max_connections=50,
        )
        self._script = self._redis.register_script(_SCRIPT)

    async def take(self, caller: str, rate: Rate, cost: int = 1) -> Verdict:
        """Judge a call, and count it if it is let through.

        Raises:
            RedisAway: it cannot be judged here now.
        """
        cost = min(cost, rate.calls)
        arguments = [rate.interval_seconds * 1e6, rate.period_seconds * 1_000_000, cost]
        try:
            async with asyncio.timeout(self._deadline_seconds):
                answer: Any = await self._script(keys=[PREFIX + caller], args=arguments)
            is_allowed, ahead = bool(answer[0]), int(answer[1]) / 1e6
        except (RedisError, OSError, ValueError, TypeError, IndexError) as failure:  # a timeout is an OSError
            raise RedisAway(type(failure).__name__) from failure
        return Verdict(rate=rate, is_allowed=is_allowed, ahead_seconds=ahead, cost=cost)

    async def close(self) -> None:
        """Let the connections go."""
        await self._redis.aclose()
