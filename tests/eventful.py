"""A run in which everything happens: failures, retries, doubt, dead letters, sockets and an open breaker."""

from __future__ import annotations

import asyncio
from typing import Any

from infrastructure.sandbox.behaviours import Behaviour, number_for
from shared.statuses import TERMINAL
from tests.system.client import Client

MAIL, HELD, SMS, SOCKET = "watched_mail", "watched_hold", "watched_sms", "watched_socket"
WORKFLOWS: dict[str, dict[str, Any]] = {
    MAIL: {"channels": ["email"], "retry_seconds": [0.5] * 6},  # a neighbour that is cut off costs a try, too
    HELD: {"channels": ["email"], "on_ambiguous": "hold"},
    SMS: {"channels": ["sms"], "retry_seconds": [0.5, 0.5]},
    SOCKET: {"channels": ["websocket"]},
}
MAILS = {
    "fine": "sent",
    "failtwice": "sent",
    "cut": "sent",  # nobody knew for a while: the same Message-ID goes out again
    "slow": "sent",
    "refused": "failed",
    "spam": "failed",
    "fails-9": "failed",
}
FAILURES_TO_OPEN = 5
WORDS = "It is about the parcel."


class Eventful:
    """What a client does to make all of it happen, and the ids of what it posted."""

    def __init__(self, carillon: Client) -> None:
        self._carillon = carillon
        self.ended: dict[str, str] = {}
        self.waiting: list[str] = []

    async def live(self, *, rounds: int = 3) -> None:
        """Live through it, until all has ended that can end soon."""
        await self._settle_in(rounds)
        expected: list[tuple[str, str]] = []
        for number in range(rounds):
            for name, status in MAILS.items():
                expected.append((await self._post(MAIL, f"mail-{name}-{number}"), status))
            expected.append((await self._post(SMS, "sms-fine"), "sent"))
            expected.append((await self._post(MAIL, "unwilling"), "skipped"))
            expected.append((await self._post(SOCKET, "listener"), "delivered"))
            expected.append((await self._post(MAIL, "nobody"), "failed"))
        expected.append((await self._post(HELD, "mail-cut-0"), "unknown"))
        self.waiting.append(await self._post(SMS, "sms-throttled"))
        await asyncio.gather(self._acknowledge(rounds), *[self._until(key, status) for key, status in expected])
        for _ in range(FAILURES_TO_OPEN):
            self.waiting.append(await self._post(SMS, "sms-tempfail"))
        await self._until_postponed(await self._post(SMS, "sms-fine"))

    async def _settle_in(self, rounds: int) -> None:
        put = self._carillon.put
        for name, workflow in WORKFLOWS.items():
            await put(f"/workflows/{name}", workflow)
        for name in MAILS:
            for number in range(rounds):  # who is refused is not written to again
                person = {"name": "Ada Secret", "email": f"{name}+{number}@example.test"}
                await put(f"/users/mail-{name}-{number}", person)
        for number, behaviour in enumerate(("fine", Behaviour.TEMPFAIL, Behaviour.THROTTLED)):
            phone = number_for(Behaviour.ACCEPTED if behaviour == "fine" else Behaviour(behaviour), number)
            await put(f"/users/sms-{behaviour}", {"name": "Ada Secret", "phone": phone})
        await put("/users/unwilling", {"name": "Ada Secret", "email": "unwilling@example.test"})
        await put("/users/unwilling/preferences", {"preferences": {"*": {"email": False}}})
        await put("/users/listener", {"name": "Ada Secret"})

    async def _post(self, event_type: str, user: str) -> str:
        event = {"event_type": event_type, "user_id": user, "data": {"message": WORDS}}
        async with self._carillon.http.post(f"{self._carillon.instance.url}/events", json=event) as answer:
            assert answer.status == 202, await answer.text()
            return str((await answer.json())["id"])

    async def _until(self, key: str, status: str) -> None:
        found = await self._carillon.until(key, status, *(TERMINAL if status != "delivered" else ()))
        assert found["status"] == status, found
        self.ended[key] = found["status"]

    async def _acknowledge(self, count: int) -> None:
        url = self._carillon.instance.url.replace("http", "ws", 1)
        async with self._carillon.http.ws_connect(f"{url}/ws/listener?since=0") as socket:
            while count:
                frame = await asyncio.wait_for(socket.receive_json(), 60)
                if frame["type"] == "notification":
                    await socket.send_json({"type": "ack", "id": frame["id"]})
                    count -= 1

    async def _until_postponed(self, key: str) -> None:
        self.waiting.append(key)
        async with asyncio.timeout(90):
            while True:
                found = await self._carillon.get(f"/api/v1/notifications/{key}")
                if any("breaker" in delivery["reason"] for delivery in found["deliveries"]):
                    return
                if found["status"] == "sent":
                    key = await self._post(SMS, "sms-fine")
                    self.waiting[-1] = key
                await asyncio.sleep(0.2)
