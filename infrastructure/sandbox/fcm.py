"""FCM's HTTP v1 API, and the token endpoint before it. What a device makes of a message: `behaviours.py`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

from aiohttp import web
from pydantic import SecretStr

from infrastructure.sandbox.behaviours import Behaviour
from infrastructure.sandbox.google_login import PROJECT, Account, Login
from infrastructure.sandbox.http import Answer, Call, Room, Table, http_date
from infrastructure.sandbox.mailbox import Content, Received
from shared.statuses import Channel

PAUSE_SECONDS = 30
MAX_PAYLOAD_BYTES = 4096
LOGINS = "/token"
"""What stands in the list of calls for a request for an access token."""


def error(status: int, canonical: str, code: str | None = None, **headers: str) -> Answer:
    """Write an error as Google's APIs do, with FCM's own code in the details."""
    details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}] if code else []
    said = {"code": status, "message": canonical.capitalize().replace("_", " "), "status": canonical}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, body={"error": {**said, **({"details": details} if details else {})}}, headers=named)


UNTRUSTED = error(401, "UNAUTHENTICATED")
INVALID = error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT")


def table(now: float) -> Table:
    """Write what FCM says in each case; the only date in it is told from now."""
    quota = (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED")
    return {
        Behaviour.REFUSED: error(404, "NOT_FOUND", "UNREGISTERED"),
        Behaviour.BLOCKED: error(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
        Behaviour.FULL: error(*quota),  # too many for this device
        Behaviour.THROTTLED: error(*quota, Retry_After=str(PAUSE_SECONDS)),
        Behaviour.THROTTLED_UNTIL: error(*quota, Retry_After=http_date(PAUSE_SECONDS, now)),
        Behaviour.THROTTLED_BARE: error(*quota),
        Behaviour.TEMPFAIL: error(503, "UNAVAILABLE", "UNAVAILABLE"),
        Behaviour.UNTRUSTED: UNTRUSTED,
    }


class SandboxFcm:
    """One Firebase project."""

    name = "fcm"

    def __init__(self) -> None:
        self._account = Account()
        self.login = Login(self._account)

    def settings(self, url: str) -> dict[str, object]:
        """Write the settings of whoever is to send here."""
        base = f"{url}/{self.name}"
        return {"fcm_base_url": base, "fcm_service_account": SecretStr(self._account.document(f"{base}/token"))}

    def routes(self, room: Room) -> Iterable[web.RouteDef]:
        """List the routes."""

        async def token(request: web.Request) -> web.Response:
            room.calls.append(LOGINS)
            status, document = self.login.answer(await request.post(), str(request.url))
            return web.json_response(document, status=status)

        async def send(request: web.Request) -> web.Response:
            if not self.login.knows(request.headers.get("Authorization", "")):
                return UNTRUSTED.response()
            if request.match_info["project"] != PROJECT:
                return error(403, "PERMISSION_DENIED").response()
            body = await request.read()
            message = _message(body)
            return INVALID.response() if message is None else await room.meet(_call(message, body))

        return [web.post("/token", token), web.post("/v1/projects/{project}/messages:send", send)]


FCM = SandboxFcm()


def _message(body: bytes) -> dict[str, Any] | None:
    """Read a message; None where FCM would call an argument invalid."""
    try:
        message = json.loads(body)["message"]
        texts = [message["token"], *message.get("data", {}).values(), *message.get("notification", {}).values()]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    payload = [json.dumps(message.get(part, {}), ensure_ascii=False).encode() for part in ("notification", "data")]
    is_valid = all(isinstance(text, str) for text in texts) and sum(map(len, payload)) <= MAX_PAYLOAD_BYTES
    return message if is_valid and isinstance(message, dict) else None


def _call(message: Mapping[str, Any], body: bytes) -> Call:
    name = f"projects/{PROJECT}/messages/{uuid4()}"
    android = message.get("android", {})
    tag = str(android.get("notification", {}).get("tag", ""))

    def received() -> Received:
        said = message.get("notification", {})
        ways = {"tag": tag, "ttl": str(android.get("ttl", "")), "data": json.dumps(message.get("data", {}))}
        content = Content(subject=said.get("title", ""), text=said.get("body", ""), headers=ways, message_id=name)
        return Received(channel=Channel.PUSH, to=message["token"], sender="fcm", raw=body, content=content)

    return Call(
        to=message["token"],
        key=f"{message['token']} {tag}",  # FCM has no key; a repetition of ours has the same tag
        message=received,
        accepted=Answer(body={"name": name}),
        table=table(time.time()),
    )
