"""People, words and events for the console to show: a working day of a small shop, with what went wrong in it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import aiohttp

from infrastructure.sandbox.behaviours import Behaviour, chat_for, number_for, token_for

PATIENCE_SECONDS = 60.0
LOOK_EVERY_SECONDS = 0.1
ENDED = frozenset({"sent", "delivered", "failed", "cancelled", "skipped", "expired", "unknown"})
NEWS_HTML = (
    '<div style="font-family:sans-serif"><h1 style="color:#1a5f7a">On its way</h1><p>Hello {{ user_name }},</p>'
    "<p>your order <b>{{ order_id }}</b> has left our house.</p><p>Your shop</p></div>"
)
PEOPLE: dict[str, dict[str, Any]] = {
    "ada": {"name": "Ada", "email": "ada@example.test", "phone": number_for(Behaviour.ACCEPTED, 1)},
    "bo": {"name": "Bo", "email": "fails-1+bo@example.test"},
    "cy": {"name": "Cy", "email": "cy@example.test", "phone": number_for(Behaviour.ACCEPTED, 3)},
    "di": {"name": "Di", "email": "spam+di@example.test"},
    "eli": {
        "name": "Eli",
        "email": "eli@example.test",
        "phone": number_for(Behaviour.ACCEPTED, 2),
        "telegram": chat_for(Behaviour.ACCEPTED, 2),
    },
    "flo": {"name": "Flo", "email": "refused+flo@example.test", "phone": number_for(Behaviour.REFUSED)},
    "gil": {"name": "Gil", "email": "spam+gil@example.test"},
}
WORKFLOWS: dict[str, dict[str, Any]] = {
    "order_shipped": {"category": "orders", "channels": ["email", "sms"], "template": "order_shipped"},
    "password_changed": {"category": "security", "channels": ["email"]},
    "alarm_raised": {"channels": ["sms", "whatsapp", "telegram", "push"], "strategy": "all"},
    "report_ready": {"channels": ["email"], "retry_seconds": [1, 1]},
    "invoice_ready": {"category": "billing", "channels": ["email", "sms"]},
}


class ShownOtherwise(AssertionError):
    """The instance did not do what the scenery needs."""


@dataclass(frozen=True, slots=True)
class Shop:
    """An instance, and how to make things happen in it."""

    http: aiohttp.ClientSession
    url: str
    key: str = ""

    async def call(self, method: str, path: str, document: Any = None, **headers: str) -> Any:
        """Call the API and return what it answered."""
        headers |= {"X-API-Key": self.key} if self.key else {}
        async with self.http.request(method, self.url + path, json=document, headers=headers) as answer:
            if answer.status >= 400:
                raise ShownOtherwise(f"{method} {path} was answered {answer.status}: {await answer.text()}")
            return await answer.json() if answer.status != 204 else None

    async def post(self, event_type: str, user: str, message: str, **more: Any) -> str:
        """Post one business event; return its notification's id."""
        event = {"event_type": event_type, "user_id": user, "data": {"message": message, **more}}
        headers = {"X-Correlation-ID": f"order-{more['order_id']}"} if "order_id" in more else {}
        return str((await self.call("POST", "/events", event, **headers))["id"])

    async def until(self, key: str, *statuses: str) -> dict[str, Any]:
        """Wait until a notification has one of these statuses, or any that is an end."""
        wanted = statuses or tuple(ENDED)
        for _ in range(int(PATIENCE_SECONDS / LOOK_EVERY_SECONDS)):
            found: dict[str, Any] = await self.call("GET", f"/api/v1/notifications/{key}")
            if found["status"] in wanted:
                return found
            await asyncio.sleep(LOOK_EVERY_SECONDS)
        raise ShownOtherwise(f"{key} is {found['status']}: {found['reason']}")

    async def failed(self, user: str, event_type: str = "password_changed", message: str = "It was changed") -> str:
        """Let a notification for somebody whose mails are refused fail; return its dead letter's id."""
        key = await self.post(event_type, user, message)
        await self.until(key, "failed")
        for _ in range(int(PATIENCE_SECONDS / LOOK_EVERY_SECONDS)):
            for letter in (await self.call("GET", "/dead-letters"))["dead_letters"]:
                if letter["notification_id"] == key:
                    return str(letter["id"])
            await asyncio.sleep(LOOK_EVERY_SECONDS)
        raise ShownOtherwise(f"{key} has no dead letter")

    async def move_in(self) -> None:
        """Let people move in, say what event types mean, and write what they say."""
        for name, person in PEOPLE.items():
            await self.call("PUT", f"/users/{name}", person)
        token = token_for(Behaviour.ACCEPTED)
        await self.call("PUT", f"/users/eli/devices/{token}", {"provider": "fcm", "platform": "android"})
        await self.write_templates()
        for event_type, workflow in WORKFLOWS.items():
            await self.call("PUT", f"/workflows/{event_type}", workflow)

    async def write_templates(self) -> None:
        """Write two versions of a template in two languages, and a draft."""
        subject = "Your order {{ order_id }} is on its way"
        words = {"channel": "email", "language": "en", "subject": subject, "body": "Hello {{ user_name }}!"}
        german = {**words, "language": "de", "subject": "Ihre Bestellung {{ order_id }}", "body": "Guten Tag!"}
        sms = {"channel": "sms", "language": "en", "body": "Your order {{ order_id }} is on its way. Your shop"}
        first = {"default_language": "en", "contents": [words, sms]}
        second = {"default_language": "en", "contents": [{**words, "html": NEWS_HTML}, german, sms]}
        draft = {**second, "contents": [*second["contents"][:2], {**sms, "body": "{{ order_id }}: soon with you!"}]}
        for document in (first, second, {**draft, "draft": True}):
            await self.call("PUT", "/templates/order_shipped", document)

    async def have_a_day(self) -> None:
        """Let things happen, good and bad, and wait for their ends."""
        posted = [
            *[await self.post("order_shipped", who, "On its way", order_id=f"A-{n}") for n, who in enumerate(MANY)],
            *[await self.post("alarm_raised", "eli", words) for words in ("Smoke in the kitchen", "It was the toast")],
            *[await self.post("invoice_ready", who, "Your invoice is ready") for who in ("bo", "cy", "flo")],
            *[await self.post("password_changed", who, "Your password was changed") for who in ("di", "flo", "gil")],
            await self.post("order_shipped", "nobody", "On its way", order_id="A-99"),
        ]
        await asyncio.gather(*(self.until(key) for key in posted))


MANY = ("ada", "cy", "eli", "ada", "cy", "eli", "ada", "cy")
