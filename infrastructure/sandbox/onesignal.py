"""OneSignal's API for one message. What a device makes of it: `behaviours.py`."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web
from pydantic import SecretStr

from infrastructure.sandbox.behaviours import Behaviour
from infrastructure.sandbox.http import Answer, Call, Room, Table, http_date
from infrastructure.sandbox.mailbox import Content, Received
from infrastructure.sandbox.recipients import REMEMBERED_MESSAGES
from shared.statuses import Channel

APP = "5a0db0c5-0000-4000-8000-000000000000"
API_KEY = "os_v2_app_sandbox"
PAUSE_SECONDS = 30


def error(status: int, said: object, **headers: str) -> Answer:
    """Write an error as OneSignal does: in sentences, without a code."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, body={"errors": said}, headers=named)


UNTRUSTED = error(403, ["Access denied. Please include an 'Authorization: ...' header with a valid API key."])
UNKNOWN_APP = error(400, ["app_id not found. You may be missing a Content-Type: application/json header."])
NO_TARGET = error(400, ["You must include which players, segments, or tags you wish to send this notification to."])
NO_WORDS = error(400, ["Notification contents must not be null for any languages."])
NO_KEY = error(400, ["idempotency_key must be a version 3 or 4 UUID"])


def table(token: str, now: float) -> Table:
    """Write what OneSignal says in each case; the only date in it is told from now."""
    limit = (429, ["API rate limit exceeded"])
    return {
        Behaviour.REFUSED: Answer(body={"id": "", "errors": {"invalid_player_ids": [token]}}),
        Behaviour.BLOCKED: Answer(body={"id": "", "errors": ["All included players are not subscribed"]}),
        Behaviour.FULL: error(*limit),
        Behaviour.THROTTLED: error(*limit, Retry_After=str(PAUSE_SECONDS)),
        Behaviour.THROTTLED_UNTIL: error(*limit, Retry_After=http_date(PAUSE_SECONDS, now)),
        Behaviour.THROTTLED_BARE: error(*limit),
        Behaviour.TEMPFAIL: error(503, ["Service temporarily unavailable"]),
        Behaviour.UNTRUSTED: UNTRUSTED,
    }


class SandboxOneSignal:
    """One OneSignal app."""

    name = "onesignal"

    def settings(self, url: str) -> dict[str, object]:
        """Write the settings of whoever is to send here."""
        said = {"onesignal_app_id": APP, "onesignal_api_key": SecretStr(API_KEY)}
        return {**said, "onesignal_base_url": f"{url}/{self.name}"}

    def routes(self, room: Room) -> Iterable[web.RouteDef]:
        """List the routes."""
        kept: OrderedDict[str, str] = OrderedDict()

        async def notify(request: web.Request) -> web.Response:
            if request.headers.get("Authorization") != f"Key {API_KEY}":
                return UNTRUSTED.response()
            body = await request.read()
            document = _object(body)
            refusal = _refusal(document)
            return refusal.response() if refusal else await room.meet(_call(document, body, kept))

        return [web.post("/notifications", notify)]


ONESIGNAL = SandboxOneSignal()


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _refusal(document: Mapping[str, Any]) -> Answer | None:
    targets, words = document.get("include_subscription_ids"), document.get("contents")
    if document.get("app_id") != APP:
        return UNKNOWN_APP
    if not isinstance(targets, list) or len(targets) != 1 or not isinstance(targets[0], str):
        return NO_TARGET
    if not isinstance(words, dict) or not words.get("en"):
        return NO_WORDS
    return None if _is_key(document.get("idempotency_key")) else NO_KEY


def _is_key(text: object) -> bool:
    try:
        return UUID(str(text)).version in {3, 4}
    except ValueError:
        return False


def _call(document: Mapping[str, Any], body: bytes, kept: OrderedDict[str, str]) -> Call:
    token, key = document["include_subscription_ids"][0], document["idempotency_key"]
    known = kept.get(key)
    name = known or str(uuid4())

    def received() -> Received:
        kept[key] = name
        if len(kept) > REMEMBERED_MESSAGES:
            kept.popitem(last=False)
        ways = {"ttl": str(document.get("ttl", "")), "data": json.dumps(document.get("data", {}))}
        title, text = document.get("headings", {}).get("en", ""), document["contents"]["en"]
        content = Content(subject=title, text=text, headers=ways, message_id=name)
        return Received(channel=Channel.PUSH, to=token, sender="onesignal", raw=body, content=content)

    return Call(
        to=token,
        key=key,
        message=received,
        accepted=Answer(body={"id": name, "external_id": None}),
        table=table(token, time.time()),
        is_copy=known is not None,
    )
