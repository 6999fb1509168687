"""Tokens by which a person stops a kind of message without logging in (RFC 8058): they name it, and are signed.

A token is `<base64url of JSON>.<base64url of HMAC-SHA256>`, without padding. It never expires, for mails are read late;
all it can do is switch one category off on one channel, for one person.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from shared.statuses import Channel

LONGEST_TOKEN = 2000
"""A person's id has 128 characters at most, each of four bytes at most."""

_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a person gets and can refuse: one category of messages on one channel."""

    tenant: str
    user_id: str
    category: str
    channel: Channel


def write_token(secret: bytes, subscription: Subscription) -> str:
    """Sign a subscription."""
    said = [subscription.tenant, subscription.user_id, subscription.category, subscription.channel.value]
    payload = urlsafe_b64encode(_COMPACT(said).encode()).rstrip(b"=")
    return f"{payload.decode()}.{_signature(secret, payload)}"


def read_token(secret: bytes, text: str) -> Subscription | None:
    """Read a token; None if it is none of ours."""
    payload, _, signature = text.partition(".")
    if len(text) > LONGEST_TOKEN or not text.isascii():
        return None
    if not hmac.compare_digest(signature, _signature(secret, payload.encode())):
        return None
    try:
        tenant, user_id, category, channel = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return Subscription(tenant=tenant, user_id=user_id, category=category, channel=Channel(channel))
    except (ValueError, TypeError):  # signed by another version of us
        return None


def _signature(secret: bytes, payload: bytes) -> str:
    return urlsafe_b64encode(hmac.digest(secret, payload, "sha256")).rstrip(b"=").decode()
