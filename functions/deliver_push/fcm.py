"""Send to devices through Firebase Cloud Messaging, HTTP v1."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from urllib.parse import quote

from functions.deliver_push.access_tokens import AccessTokens
from functions.deliver_push.answers import judge_silence, refuse
from functions.deliver_push.fcm_answers import THIRD_PARTY, judge_fcm, read_word
from functions.deliver_push.fcm_message import MAX_PAYLOAD_BYTES, compose, payload_bytes
from functions.deliver_push.service_account import ServiceAccount
from shared.http_call import Http, Silence
from shared.outcomes import Device, Letter, Outcome
from shared.statuses import PushService

TOO_LARGE = f"title, text and data are longer than the {MAX_PAYLOAD_BYTES} bytes that FCM takes"


class Fcm:
    """One Firebase project."""

    def __init__(
        self,
        account: ServiceAccount,
        base_url: str,
        http: Http,
        *,
        fetch_seconds: float = 10,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = f"{base_url.rstrip('/')}/v1/projects/{quote(account.project_id, safe='')}/messages:send"
        self._http = http
        self._clock = clock
        self._tokens = AccessTokens(account, http, fetch_seconds=fetch_seconds, clock=clock)

    async def push(self, letter: Letter, device: Device, until: float) -> Outcome:
        """Make one attempt for one device, until that time on the loop's clock."""
        message = compose(letter, device.token, self._clock())
        if payload_bytes(message) > MAX_PAYLOAD_BYTES:
            return refuse(PushService.FCM, "too large", TOO_LARGE)
        token = await self._tokens.get(until)
        if isinstance(token, Outcome):
            return token
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json; charset=UTF-8"}
        body = json.dumps({"message": message}, ensure_ascii=False).encode()
        answer = await self._http.post(self._url, headers, body, until)
        if isinstance(answer, Silence):
            return judge_silence(PushService.FCM, answer)
        if answer.status == 401 and read_word(answer) != THIRD_PARTY:
            self._tokens.forget(token)
        return judge_fcm(answer, device)

    async def close(self) -> None:
        """Break off what is being fetched."""
        await self._tokens.close()
