"""What FCM's answers mean. The codes: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from functions.deliver_push.answers import (
    ACCEPTED,
    GARBLED,
    GONE,
    NO_WORD,
    NOT_KNOWN,
    NOT_TRUSTED,
    PERHAPS_TAKEN,
    REFUSED,
    SENSELESS,
    TAKEN,
    TOO_MANY,
    TROUBLE,
    Table,
    judge,
    row,
)
from shared.http_call import Reply
from shared.outcomes import Device, Outcome
from shared.statuses import PushService

PAUSE_SECONDS = 60.0
"""A quota counts minutes; without a Retry-After the next one is waited for."""

THIRD_PARTY = "THIRD_PARTY_AUTH_ERROR"

TABLE: Table = (
    row(rf"2\d\d {TAKEN}", ACCEPTED),
    row(r"2\d\d .*", PERHAPS_TAKEN),
    row(r"4\d\d UNREGISTERED", GONE),
    row(r"4\d\d SENDER_ID_MISMATCH", replace(GONE, reason="the token was given for another sender")),
    row(rf"4\d\d {THIRD_PARTY}", replace(NOT_TRUSTED, reason="Apple or a browser does not accept FCM's credentials")),
    row(r"429 .*", replace(TOO_MANY, wait_seconds=PAUSE_SECONDS)),
    row(r"40[13] .*", NOT_TRUSTED),
    row(r"404 .*", NOT_KNOWN),  # only UNREGISTERED is about the token
    row(r"408 .*", TROUBLE),
    row(r"4\d\d .*", REFUSED),
    row(r"504 .*", PERHAPS_TAKEN),  # somebody on the way gave up waiting for FCM
    row(r"5\d\d .*", TROUBLE),
    row(r".*", SENSELESS),
)

_CODE = re.compile(r"[A-Z][A-Z_]{1,39}")


def judge_fcm(reply: Reply, device: Device) -> Outcome:
    """Turn FCM's answer into the outcome for a device."""
    outcome = judge(PushService.FCM, TABLE, reply, read_word(reply), device)
    name = reply.document.get("name") if reply.document else None
    return replace(outcome, provider_message_id=name) if isinstance(name, str) else outcome


def read_word(reply: Reply) -> str:
    """Find the error's code: FCM's own in the details, else Google's canonical one."""
    document = reply.document
    if document is None:
        return GARBLED
    if reply.status < 300:
        return TAKEN if isinstance(document.get("name"), str) else GARBLED
    error = document.get("error")
    if not isinstance(error, dict):
        return NO_WORD
    said = [*_details(error), error.get("status")]
    return next((code for code in said if isinstance(code, str) and _CODE.fullmatch(code)), NO_WORD)


def _details(error: Mapping[str, Any]) -> list[Any]:
    details = error.get("details")
    return [one.get("errorCode") for one in details if isinstance(one, dict)] if isinstance(details, list) else []
