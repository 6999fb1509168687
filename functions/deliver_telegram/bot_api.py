"""Telegram's Bot API over HTTP: one call, and what came back."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp

from functions.deliver_telegram.answers import NoAnswer, Reply
from shared.errors import SettingMissing

MAX_ANSWER_BYTES = 262_144  # an answer repeats the message, of 4,096 characters at most

_TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
_ADDRESS = re.compile(r"https?://[!-~]+")


@dataclass(slots=True)
class _Progress:
    """How far a call has come, and until when it may begin."""

    until: float
    had_left: bool = False


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
        self._session: aiohttp.ClientSession | None = None

    async def call(self, method: str, fields: Mapping[str, Any], until: float) -> Reply:
        """Call a method; at `until` on the loop's clock the call ends, and its connection is closed.

        Raises:
            NoAnswer: there is none that can be read.
        """
        progress = _Progress(until)
        try:
            async with (
                asyncio.timeout_at(until),
                self._open().post(
                    f"{self._prefix}/{method}", json=dict(fields), allow_redirects=False, trace_request_ctx=progress
                ) as response,
            ):
                return await _read(response)
        except (aiohttp.ClientError, OSError) as failure:
            raise NoAnswer(failure, had_left=progress.had_left) from None

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:  # in a running loop only
            watch = aiohttp.TraceConfig()
            watch.on_request_headers_sent.append(_leave)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),  # the frame knows how many calls there may be
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # so that one clock alone ends a call
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[watch],
            )
        return self._session


async def _leave(_: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceRequestHeadersSentParams) -> None:
    """Let a request begin, or not: this is heard right before its first byte, on new connections and on old ones.

    This process may have been stopped for a minute while it connected.
    """
    progress = context.trace_request_ctx
    if asyncio.get_running_loop().time() >= progress.until:
        raise TimeoutError
    progress.had_left = True


async def _read(response: aiohttp.ClientResponse) -> Reply:
    body, retry_after = bytearray(), response.headers.get("Retry-After")
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            return Reply(status=response.status, retry_after=retry_after)
    return Reply(status=response.status, document=_document(bytes(body)), retry_after=retry_after)


def _document(body: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "ok" in found else None
