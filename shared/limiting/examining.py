"""What a Redis says of itself, for whoever looks whether all is well."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError

from shared.limiting.limits import RedisAway

ANSWER_SECONDS = 3.0


async def examine(url: str) -> str:
    """Ask it once; return its version.

    Raises:
        RedisAway: why it cannot be used, without any part of the address.
    """
    try:
        redis: Redis = Redis.from_url(
            url, socket_connect_timeout=ANSWER_SECONDS, socket_timeout=ANSWER_SECONDS, decode_responses=True
        )
        async with redis:
            return str((await redis.info("server"))["redis_version"])
    except AuthenticationError:
        raise RedisAway("the user or the password is wrong") from None
    except (RedisError, OSError, ValueError, LookupError) as failure:
        raise RedisAway(type(failure).__name__) from None
