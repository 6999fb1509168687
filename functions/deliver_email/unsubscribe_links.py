"""The address in every mail at which its reader unsubscribes with one click (RFC 2369, RFC 8058)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from functions.deliver_email.headers import MAX_LINE_LENGTH
from shared.errors import SettingMissing
from shared.outcomes import Letter
from shared.unsubscribing import Subscription, write_token

_ROOT = re.compile(r"https?://[!#-;=?-~]+")
_ONE_CLICK = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"


class UnsubscribeLinks:
    """Writes them, signed with the installation's secret, which is read once, before the first mail."""

    def __init__(self, public_url: str, secret: Callable[[], Awaitable[bytes]]) -> None:
        """Keep what is needed; read nothing yet.

        Raises:
            SettingMissing: the address of this installation is malformed.
        """
        if not _ROOT.fullmatch(public_url):
            raise SettingMissing("PUBLIC_URL must be an address, such as https://notify.example.com")
        self._root = f"{public_url.rstrip('/')}/unsubscribe/"
        self._post = _ONE_CLICK if public_url.startswith("https:") else ""  # RFC 8058 3.1: over HTTPS alone
        self._read_secret = secret
        self._secret: bytes | None = None

    async def prepare(self) -> None:
        """Read the secret, the first time.

        Raises:
            Transient: the database is away.
        """
        if self._secret is None:
            self._secret = await self._read_secret()

    def headers(self, letter: Letter) -> str:
        """Write the headers of a mail, each with its line's end. An address too long for a line is left out."""
        assert self._secret is not None, "nothing is written before `prepare`"
        subscription = Subscription(
            tenant=letter.tenant, user_id=letter.user_id, category=letter.category, channel=letter.channel
        )
        link = f"List-Unsubscribe: <{self._root}{write_token(self._secret, subscription)}>"
        return f"{link}\r\n{self._post}" if len(link) <= MAX_LINE_LENGTH else ""
