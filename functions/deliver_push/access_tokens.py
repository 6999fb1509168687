"""The access token that FCM wants: fetched once for all who wait, and again shortly before it expires."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from functions.deliver_push.answers import (
    NOT_TRUSTED,
    SENSELESS,
    TOO_MANY,
    TROUBLE,
    Table,
    judge,
    judge_silence,
    row,
)
from functions.deliver_push.service_account import KeyUnreadable, ServiceAccount
from shared.http_call import Http, Phase, Reply, Silence
from shared.outcomes import Outcome
from shared.statuses import PushService

EARLY_SECONDS = 300.0
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"

TABLE: Table = (  # RFC 6749 5.2
    row(r"429 .*", TOO_MANY),
    row(r"4\d\d .*", NOT_TRUSTED),
    row(r"5\d\d .*", TROUBLE),
    row(r".*", SENSELESS),
)

_TOKEN = re.compile(r"[!-~]{1,8192}")  # it goes into a header


class AccessTokens:
    """One token at a time. Whoever waits while it is fetched gets what comes of that fetch."""

    def __init__(
        self, account: ServiceAccount, http: Http, *, fetch_seconds: float = 10, clock: Callable[[], float] = time.time
    ) -> None:
        self._account = account
        self._http = http
        self._fetch_seconds = fetch_seconds
        self._clock = clock
        self._sign: Callable[[Mapping[str, object]], bytes] | None = None
        self._token: str | None = None
        self._fresh_until = 0.0
        self._fetching: asyncio.Task[str | Outcome] | None = None

    async def get(self, until: float) -> str | Outcome:
        """Return a token, or the outcome of a call that gets none until that time on the loop's clock."""
        if self._token is not None and self._clock() < self._fresh_until:
            return self._token
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch())
        try:
            async with asyncio.timeout_at(until):
                return await asyncio.shield(self._fetching)  # who gives up does not take it from the others
        except TimeoutError:
            return _nothing("timeout")

    def forget(self, token: str) -> None:
        """Let go of a token that FCM did not take, unless there is a newer one."""
        if self._token == token:
            self._token = None

    async def close(self) -> None:
        """Break off what is being fetched."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    async def _fetch(self) -> str | Outcome:
        try:
            if self._sign is None:
                self._sign = await asyncio.to_thread(self._account.signer)
        except KeyUnreadable:
            return _nothing("unreadable key")
        assertion = self._sign(self._account.claims(self._clock()))
        form = urlencode({"grant_type": GRANT, "assertion": assertion.decode()}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        until = asyncio.get_running_loop().time() + self._fetch_seconds
        answer = await self._http.post(self._account.token_uri, headers, form, until)
        if isinstance(answer, Silence):  # whatever has left, it was not the message
            return judge_silence(PushService.FCM, answer) if answer.phase is Phase.WAITING else _nothing(answer.word)
        return self._take(answer)

    def _take(self, reply: Reply) -> str | Outcome:
        said = reply.document or {}
        token, seconds = said.get("access_token"), said.get("expires_in")
        if reply.status != 200 or not isinstance(seconds, int | float) or not _TOKEN.fullmatch(str(token)):
            return judge(PushService.FCM, TABLE, reply, "at login")
        self._token = str(token)
        self._fresh_until = self._clock() + max(seconds - EARLY_SECONDS, seconds / 2)
        return self._token


def _nothing(word: str) -> Outcome:
    return judge_silence(PushService.FCM, Silence(Phase.LOGIN, word))
