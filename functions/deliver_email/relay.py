"""The mail server that SMTP_URL names, and how to speak to it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import SplitResult, unquote, urlsplit

from shared.errors import SettingMissing
from shared.settings import is_loopback


class Encryption(StrEnum):
    """How much TLS a conversation needs."""

    FROM_THE_START = "from the start"  # smtps://, RFC 8314
    REQUIRED = "required"  # STARTTLS or nothing: a password would cross the network in the clear
    WHEN_OFFERED = "when offered"  # STARTTLS if the server has it


DEFAULT_PORTS = {"smtp": 587, "smtps": 465}  # RFC 8314: mail is submitted, not relayed on 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """One mail server."""

    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    encryption: Encryption = Encryption.WHEN_OFFERED

    @property
    def is_verified(self) -> bool:
        """Whether the certificate must be trusted. On loopback nobody is in the middle, and relays sign their own."""
        return self.encryption is Encryption.FROM_THE_START or not is_loopback(self.host)

    def tls_context(self) -> ssl.SSLContext:
        """Build the client's side of TLS. Reads the trust store from disk: not in the event loop."""
        if self.is_verified:
            return ssl.create_default_context()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    @classmethod
    def parse(cls, url: str) -> Relay:
        """Read smtp://[user:password@]host[:port] or smtps://...; user and password are percent-decoded.

        Raises:
            SettingMissing: it is neither. The message never quotes the URL, which may carry the password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise SettingMissing("SMTP_URL is malformed: smtp://user:password@host:587") from None
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise SettingMissing("SMTP_URL must be smtp://[user:password@]host[:port] or smtps://...")
        return cls(
            host=parts.hostname,
            port=port or DEFAULT_PORTS[parts.scheme],
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            encryption=_encryption(parts),
        )


def _encryption(parts: SplitResult) -> Encryption:
    if parts.scheme == "smtps":
        return Encryption.FROM_THE_START
    if parts.password and not is_loopback(parts.hostname or ""):
        return Encryption.REQUIRED
    return Encryption.WHEN_OFFERED
