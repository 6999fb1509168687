"""Limits: how often a key or a person may call, in this process, or over all of them where there is a Redis."""

from shared.limiting.limits import Limits
from shared.limiting.local import LocalBuckets
from shared.limiting.redis_buckets import RedisBuckets

__all__ = ["Limits", "LocalBuckets", "RedisBuckets"]
