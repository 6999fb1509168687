"""A mail server that keeps what it receives and misbehaves on request: for development, demos and tests.

Who may be written to for which misbehaviour: `infrastructure/sandbox/recipients.py`. What can be switched:
`infrastructure/sandbox/moods.py`.
"""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from infrastructure.sandbox.mailbox import Mailbox
from infrastructure.sandbox.moods import Moods
from infrastructure.sandbox.recipients import Attempts
from infrastructure.sandbox.smtp_session import Session


class SandboxSmtp:
    """The server. It may be started again after a stop, at the same port if asked; the mailbox outlives it."""

    def __init__(self, mailbox: Mailbox, moods: Moods | None = None) -> None:
        self.mailbox = mailbox
        self.moods = moods or Moods()
        self.attempts = Attempts()
        self.sessions: set[Session] = set()
        self.host = "127.0.0.1"
        self.port = 0
        self.connections_opened = 0
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Write what a client's SMTP_URL has to be, the login included."""
        scheme = "smtps" if self.moods.is_tls_from_the_start else "smtp"
        login = ":".join(quote(word, safe="") for word in self.moods.credentials or ())
        return f"{scheme}://{login}{'@' if login else ''}{self.host}:{self.port}"

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes any that is free."""
        context = self.moods.tls if self.moods.is_tls_from_the_start else None
        self._server = await asyncio.get_running_loop().create_server(self._open_session, host, port, ssl=context)
        self.host, self.port = host, self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections from here on, and cut those that are open."""
        if self._server is None:
            return
        self._server.close()
        for session in list(self.sessions):
            session.transport.abort()
        await self._server.wait_closed()
        self._server = None

    def _open_session(self) -> Session:
        self.connections_opened += 1
        return Session(self)
