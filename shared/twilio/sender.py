"""Whom Twilio sends for: our account, and the sender of a channel."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.statuses import Channel

PREFIXES = {Channel.SMS: "", Channel.WHATSAPP: "whatsapp:"}
"""Twilio tells the channel by how an address begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A Twilio account, and where its API is."""

    sid: str
    token: str = field(repr=False)
    base_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A number of ours, a name that stands for one, or a messaging service (MG...) that chooses."""

    channel: Channel
    name: str

    @property
    def is_service(self) -> bool:
        """Whether Twilio chooses the number."""
        return self.name.startswith("MG")

    @property
    def address(self) -> str:
        """Write where it comes from, as Twilio does."""
        return self.name if self.is_service else self.write(self.name)

    def write(self, number: str) -> str:
        """Write an address of this channel as Twilio does."""
        prefix = PREFIXES[self.channel]
        return prefix + number.removeprefix(prefix)
