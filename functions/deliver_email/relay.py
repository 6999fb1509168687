"""The mail servers that SMTP_URL names, and how to speak to each."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from functions.deliver_email.answers import PROVIDER
from shared.errors import SettingMissing
from shared.settings import is_loopback


class Encryption(StrEnum):
    """How much TLS a conversation needs."""

    FROM_THE_START = "from the start"  # smtps://, RFC 8314
    REQUIRED = "required"  # STARTTLS or nothing: a password would cross the network in the clear
    WHEN_OFFERED = "when offered"  # STARTTLS if the server has it


MAX_WEIGHT = 100
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_WEIGHT = re.compile(r"[1-9][0-9]{0,2}")

DEFAULT_PORTS = {"smtp": 587, "smtps": 465}  # RFC 8314: mail is submitted, not relayed on 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """One mail server. Of several, each has a name, and a share of the mails by its weight."""

    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    encryption: Encryption = Encryption.WHEN_OFFERED
    name: str = PROVIDER
    weight: int = 1

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
    def parse(cls, url: str, name: str = PROVIDER) -> Relay:
        """Read smtp://[user:password@]host[:port][?weight=3&name=backup] or smtps://...; all but host is decoded.

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
        said = {"name": name, "weight": "1", **dict(parse_qsl(parts.query, keep_blank_values=True))}
        is_weight = _WEIGHT.fullmatch(said["weight"]) and int(said["weight"]) <= MAX_WEIGHT
        if len(said) > 2 or not is_weight or not _NAME.fullmatch(said["name"]):
            raise SettingMissing("behind SMTP_URL's ? are weight=1 to 100 and name=a-z, 0-9, -, nothing else")
        return cls(
            host=parts.hostname,
            port=port or DEFAULT_PORTS[parts.scheme],
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            encryption=_encryption(parts),
            name=said["name"],
            weight=int(said["weight"]),
        )


def read_relays(urls: str) -> list[Relay]:
    """Read the mail servers of SMTP_URL, separated by spaces: smtp, smtp-2, smtp-3, unless they say a name.

    Raises:
        SettingMissing: there is none, one is malformed, or two have one name.
    """
    found = [
        Relay.parse(url, PROVIDER if number == 1 else f"{PROVIDER}-{number}")
        for number, url in enumerate(urls.split(), 1)
    ]
    if not found:
        raise SettingMissing("SMTP_URL is empty: e-mail needs a mail server, such as smtp://user:password@host:587")
    if len({relay.name for relay in found}) < len(found):
        raise SettingMissing("two mail servers in SMTP_URL have one name: their breakers would be one, too")
    return found


def _encryption(parts: SplitResult) -> Encryption:
    if parts.scheme == "smtps":
        return Encryption.FROM_THE_START
    if parts.password and not is_loopback(parts.hostname or ""):
        return Encryption.REQUIRED
    return Encryption.WHEN_OFFERED
