"""Limits: how often a key or a person may call, in this process, or over all of them where there is a Redis."""

from shared.limiting.limits import Limits, RedisAway
from shared.limiting.local import LocalBuckets

__all__ = ["Limits", "LocalBuckets", "RedisAway"]
