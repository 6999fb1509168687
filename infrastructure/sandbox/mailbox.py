"""What the stand-ins received: the newest messages, in memory, for a person or a test to read."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import cached_property
from typing import Any

from shared.statuses import Channel

NEWEST_KEPT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a message says, without the way it came."""

    subject: str = ""
    text: str = ""
    html: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    message_id: str = ""


class Received:
    """One message. A mail is parsed only when somebody looks: most are only counted."""

    def __init__(self, *, channel: Channel, to: str, sender: str, raw: bytes = b"", content: Content | None = None):
        self.channel = channel
        self.to = to
        self.sender = sender
        self.raw = raw
        self.received_at = datetime.now(UTC)
        self._content = content

    @cached_property
    def content(self) -> Content:
        """Read the message; what no parser understands still has its text."""
        return self._content or parse_mail(self.raw)

    @property
    def size_bytes(self) -> int:
        """Count the bytes as they came over the wire."""
        return len(self.raw)

    def as_record(self) -> dict[str, Any]:
        """Describe the message for a list: plain values only."""
        content = self.content
        return {
            "channel": self.channel.value,
            "to": self.to,
            "from": self.sender,
            "subject": content.subject,
            "text": content.text,
            "html": content.html,
            "headers": dict(content.headers),
            "size_bytes": self.size_bytes,
            "received_at": self.received_at.isoformat(),
            "message_id": content.message_id,
        }


class Mailbox:
    """The newest messages of every channel; older ones fall out."""

    def __init__(self, newest_kept: int = NEWEST_KEPT) -> None:
        self._messages: deque[Received] = deque(maxlen=newest_kept)
        self.total = 0  # ever kept, those fallen out included

    def __len__(self) -> int:
        return len(self._messages)

    def keep(self, message: Received) -> None:
        """Keep one message, at the price of the oldest."""
        self._messages.append(message)
        self.total += 1

    def newest(
        self, limit: int = NEWEST_KEPT, *, channel: Channel | None = None, to: str | None = None
    ) -> list[Received]:
        """List the newest first, of one channel or to one address if asked."""
        found: list[Received] = []
        for message in reversed(self._messages):
            if len(found) == limit:
                break
            if channel in {None, message.channel} and to in {None, message.to}:
                found.append(message)
        return found

    def take_out(self, message: Received) -> None:
        """Forget one message, if it is still there: its sender has deleted it. The count stays."""
        with suppress(ValueError):
            self._messages.remove(message)

    def clear(self) -> None:
        """Forget every message, and the count."""
        self._messages.clear()
        self.total = 0


def parse_mail(raw: bytes) -> Content:
    """Read a mail with the standard library: another implementation than the one that wrote it."""
    mail = message_from_bytes(raw, policy=default)
    return Content(
        subject=str(mail["Subject"] or ""),
        text=_body(mail, "plain") or "",
        html=_body(mail, "html"),
        headers={name: str(value) for name, value in mail.items()},
        message_id=str(mail["Message-ID"] or ""),
    )


def _body(mail: EmailMessage, subtype: str) -> str | None:
    part = mail.get_body(preferencelist=(subtype,))
    if part is None:
        return None
    try:
        return str(part.get_content())
    except (LookupError, ValueError):  # an unknown charset, or a broken encoding
        return str(part.get_payload())
