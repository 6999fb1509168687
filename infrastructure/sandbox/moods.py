"""How a stand-in feels today: switches that a test, a demo or a person turns while it runs."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random


class Outage(StrEnum):
    """How a server can be away while its port is still there. To have it refused, stop the server."""

    RESET = "reset"  # cut every connection at once
    BANNER = "banner"  # greet with 421 and hang up


@dataclass(kw_only=True)
class Moods:
    """The switches. Those about a connection count from the next connection on, the others at once."""

    latency_seconds: float = 0.0  # before every answer: a mail takes four of them
    error_rate: float = 0.0  # the share of mails that are refused for now, after their last dot
    seed: int = 0
    outage: Outage | None = None
    credentials: tuple[str, str] | None = None  # user and password; without a login MAIL is refused
    mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN")
    tls: ssl.SSLContext | None = None  # offer STARTTLS
    is_tls_from_the_start: bool = False  # speak TLS at once, as smtps does
    not_offered: frozenset[str] = frozenset()  # to leave out: CHUNKING, SMTPUTF8, SIZE ... EHLO
    mails_per_connection: int | None = None  # then 421, as relays do
    _random: Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - chance, not a secret

    def refuses_now(self) -> bool:
        """Draw the next lot; the same seed draws the same lots."""
        return self._random.random() < self.error_rate
