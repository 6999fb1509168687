"""A letter as FCM's HTTP v1 API takes it: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from functions.deliver_push.collapsing import collapse_id
from shared.outcomes import Letter

MAX_PAYLOAD_BYTES = 4096
"""What FCM allows for notification and data together."""


def compose(letter: Letter, token: str, now: float) -> dict[str, Any]:
    """Write the message for one device.

    A repetition of the same letter takes the place of the first where it is shown, by its tag, even when the event
    names no key. It is no collapse key of Android's then: FCM keeps four of them for a device that is away and drops
    the rest, so one per letter would lose letters.
    """
    options, ttl = letter.options, max(int(letter.expires_in_seconds), 0)
    key = collapse_id(letter)
    tag = key or str(letter.idempotency_key)
    image, link = options.get("image_url"), options.get("link")
    notification = {"title": letter.subject, "body": letter.text, **({"image": image} if image else {})}
    return {
        "token": token,
        "notification": notification,
        "data": _data(letter, link),
        "android": {
            "ttl": f"{ttl}s",
            "notification": {"tag": tag},
            **({"collapse_key": key} if key else {}),
        },
        "apns": {
            "headers": {"apns-collapse-id": tag, "apns-expiration": str(int(now) + ttl)},
            **({"payload": {"aps": {"mutable-content": 1}}, "fcm_options": {"image": image}} if image else {}),
        },
        "webpush": {
            "headers": {"TTL": str(ttl)},
            "notification": {"tag": tag},
            **({"fcm_options": {"link": link}} if link and link.startswith("https:") else {}),
        },
    }


def payload_bytes(message: Mapping[str, Any]) -> int:
    """Count what the limit counts."""
    return sum(len(json.dumps(message[part], ensure_ascii=False).encode()) for part in ("notification", "data"))


def _data(letter: Letter, link: str | None) -> dict[str, str]:
    """Write what the app gets. By the id it can tell a repetition from something new."""
    said = {"notification_id": str(letter.notification_id), **({"link": link} if link else {})}
    return {**said, **letter.options.get("data", {})}
