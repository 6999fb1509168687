"""What an instance holds before strangers try everything: people, and notifications in several states."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from tests.specification.instance import KEY, Instance

DEADLINE_SECONDS = 30.0
PEOPLE = {
    "1": {"name": "Ada", "email": "ada@example.test", "phone": "+15005550100"},
    "2": {"name": "Bo", "email": "refused@example.test"},
}


@dataclass(frozen=True, slots=True)
class Known:
    """What there is, by the operation that shows it."""

    notifications: list[str]
    dead_letters: list[str]
    keys: list[str]
    templates: list[str]
    fan_outs: list[str]
    erasures: list[str]

    def by_operation(self) -> dict[str, list[str]]:
        """List what may stand for `{id}` or `{name}`, by the beginning of the path."""
        return {
            "/api/v1/notifications": self.notifications,
            "/dead-letters": self.dead_letters,
            "/users": list(PEOPLE),
            "/keys": self.keys,
            "/templates": self.templates,
            "/events/fan-outs": self.fan_outs,
            "/erasures": self.erasures,
        }


class Operator:
    """Somebody with a key."""

    def __init__(self, instance: Instance) -> None:
        self._url = instance.url
        self._session = requests.Session()
        self._session.headers["X-API-Key"] = KEY

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """Ask, and have it work."""
        answer = self._session.request(method, self._url + path, timeout=DEADLINE_SECONDS, **more)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def settle(self) -> Known:
        """Put the people there, and wait until two messages have arrived and one has failed."""
        for key, person in PEOPLE.items():
            self.ask("PUT", f"/users/{key}", json=person)
        self.ask("PUT", "/users/1/devices/sandbox:accepted", json={"provider": "fcm"})
        self.ask("PUT", "/suppressions/email/gone@example.test", json={"reason": "It is gone."})
        posted = [
            self.ask("POST", "/events", json={"event_type": "seed", "user_id": user, "data": data})["id"]
            for user, data in (
                ("1", {"message": "hello", "preferred_channel": "email"}),
                ("1", {"message": "hello", "preferred_channel": "websocket"}),
                ("2", {"message": "hello", "preferred_channel": "email"}),
                ("nobody", {"message": "hello"}),
            )
        ]
        self._until(self._letters)
        keys = [self.ask("POST", "/keys", json={"name": name, "scopes": ["read"]})["id"] for name in ("shop", "desk")]
        words = {"name": "order_shipped", "channel": "email", "body": "{{ order_id }} is on its way."}
        self.ask("POST", "/templates", json=words)
        for_many = {"event_type": "seed", "user_ids": list(PEOPLE), "data": {"message": "hello"}}
        fan_out = self.ask("POST", "/events", json=for_many)["fan_out_id"]
        self.ask("PUT", "/users/3", json={"name": "Cy"})
        erasure = self.ask("DELETE", "/users/3")["id"]
        return Known(
            notifications=posted,
            dead_letters=self._letters(),
            keys=keys,
            templates=[words["name"]],
            fan_outs=[fan_out],
            erasures=[erasure],
        )

    def _letters(self) -> list[str]:
        return [letter["id"] for letter in self.ask("GET", "/dead-letters")["dead_letters"]]

    def _until(self, is_there: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not is_there():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)
