"""Telegram's Bot API over HTTP: one call, and what came back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from shared.errors import SettingMissing
from shared.http_call import Fault, Http, Silence
from shared.telegram.answers import Reply

MAX_ANSWER_BYTES = 262_144  # an answer repeats the message, of 4,096 characters at most

_TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
_ADDRESS = re.compile(r"https?://[!-~]+")


class BotApi:
    """A session that keeps its connections. The token is a part of every address, so no address is ever told."""

    def __init__(self, token: str, base_url: str) -> None:
        """Read the settings; connect to nothing yet.

        Raises:
            SettingMissing: the token or the address is malformed. The message quotes neither.
        """
        if not _TOKEN.fullmatch(token):
            raise SettingMissing("TELEGRAM_BOT_TOKEN is malformed: it has digits, a colon, and letters or digits")
        if not _ADDRESS.fullmatch(base_url):
            raise SettingMissing("TELEGRAM_BASE_URL must be https://...")
        self._prefix = f"{base_url.rstrip('/')}/bot{token}"
        self._http = Http(0, most_bytes=MAX_ANSWER_BYTES)  # the frame knows how many calls there may be

    async def call(self, method: str, fields: Mapping[str, Any], until: float) -> Reply | Silence:
        """Call a method; at `until` on the loop's clock the call ends, and its connection is closed."""
        answer = await self._http.ask("POST", f"{self._prefix}/{method}", until, json=dict(fields))
        if isinstance(answer, Silence):
            is_without_end = answer.word == Fault.GARBLED
            return Reply(status=answer.status) if is_without_end and answer.status is not None else answer
        document = answer.document if answer.document is not None and "ok" in answer.document else None
        return Reply(status=answer.status, document=document, retry_after=answer.headers.get("Retry-After"))

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.close()
