"""Send to devices through OneSignal: https://documentation.onesignal.com/reference/push-notification."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

from functions.deliver_push.answers import judge_silence
from functions.deliver_push.collapsing import collapse_id
from functions.deliver_push.onesignal_answers import judge_onesignal
from shared.http_call import Http, Silence
from shared.outcomes import Device, Letter, Outcome
from shared.statuses import PushService


class OneSignal:
    """One OneSignal app."""

    def __init__(self, app_id: str, api_key: str, base_url: str, http: Http) -> None:
        self._app_id = app_id
        self._headers = {"Authorization": f"Key {api_key.strip()}", "Content-Type": "application/json; charset=UTF-8"}
        self._url = f"{base_url.rstrip('/')}/notifications"
        self._http = http

    async def push(self, letter: Letter, device: Device, until: float) -> Outcome:
        """Make one attempt for one device, until that time on the loop's clock."""
        document = {"app_id": self._app_id, **compose(letter, device.token)}
        body = json.dumps(document, ensure_ascii=False).encode()
        answer = await self._http.post(self._url, self._headers, body, until)
        if isinstance(answer, Silence):
            return judge_silence(PushService.ONESIGNAL, answer)
        return judge_onesignal(answer, device)

    async def close(self) -> None:
        """Nothing is held."""


def compose(letter: Letter, token: str) -> dict[str, Any]:
    """Write the notification for one device. "en" is the language that everybody falls back to."""
    image, link, key = letter.options.get("image_url"), letter.options.get("link"), collapse_id(letter)
    document: dict[str, Any] = {
        "target_channel": "push",
        "include_subscription_ids": [token],
        "idempotency_key": str(idempotency_key(letter, token)),
        "headings": {"en": letter.subject},
        "contents": {"en": letter.text},
        "data": {**letter.options.get("data", {}), **_about(letter)},
        "ttl": max(int(letter.expires_in_seconds), 0),
    }
    if key:
        document["collapse_id"] = key
    if link:  # `url` opens a browser; anything but the web is the app's own
        document["url" if link.startswith(("https:", "http:")) else "app_url"] = link
    if image:
        document |= {"big_picture": image, "chrome_web_image": image, "ios_attachments": {"image": image}}
    return document


def _about(letter: Letter) -> dict[str, str]:
    """Write what an event of OneSignal's stream gives back (`functions/callbacks/onesignal.py`)."""
    return {"notification_id": str(letter.notification_id), "epoch": str(letter.epoch)}


def idempotency_key(letter: Letter, token: str) -> UUID:
    """Derive the key of every attempt of one letter for one device. OneSignal takes no UUID but of version 3 or 4."""
    return UUID(bytes=hashlib.sha256(letter.idempotency_key.bytes + token.encode()).digest()[:16], version=4)
