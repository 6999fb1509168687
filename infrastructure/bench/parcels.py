"""What the benchmark posts: parcels, each with a mark in its message by which its mail is known again."""

from __future__ import annotations

import json
from dataclasses import dataclass

BEFORE, AFTER = b"Parcel #", b" is on its way"
EVENT_TYPE = "parcel_sent"
LONGEST_MARK = 64
MAIL = "email"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcels:
    """The parcels of one run, numbered from 0, for users in turn, over channels in turn."""

    run: str
    count: int
    users: int
    channels: tuple[str, ...] = (MAIL,)
    key: str | None = None

    def mark(self, number: int) -> str:
        """Write the mark of a parcel."""
        return f"{self.run}-{number}"

    def number(self, mark: str) -> int | None:
        """Read a mark; None if it is of another run."""
        run, _, number = mark.rpartition("-")
        is_ours = run == self.run and number.isdecimal() and int(number) < self.count
        return int(number) if is_ours else None

    def user(self, number: int) -> str:
        """Choose the user of a parcel."""
        return str(1 + number % self.users)

    def channel(self, number: int) -> str:
        """Choose the channel of a parcel."""
        return self.channels[number % len(self.channels)]

    def mails(self, count: int) -> int:
        """Count those of the first so many that go by mail."""
        return sum(self.channel(number) == MAIL for number in range(count))

    def request(self, number: int) -> bytes:
        """Write the whole request, so that nothing is left to do when it is sent."""
        message = BEFORE.decode() + self.mark(number) + AFTER.decode()
        event = {
            "event_type": EVENT_TYPE,
            "user_id": self.user(number),
            "timestamp": "2026-11-20T12:00:00Z",
            "data": {"message": message, "preferred_channel": self.channel(number)},
        }
        body = json.dumps(event).encode()
        lines = ["POST /events HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
        lines += [f"Authorization: Bearer {self.key}"] if self.key else []
        lines += [f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body


def address(user: str) -> str:
    """Write the address of a user."""
    return f"user{user}@example.test"


def find_mark(text: bytes) -> str:
    """Find the mark in a mail; empty if there is none."""
    start = text.find(BEFORE)
    if start < 0:
        return ""
    start += len(BEFORE)
    end = text.find(AFTER, start, start + LONGEST_MARK)
    return text[start:end].decode(errors="replace") if end >= 0 else ""
