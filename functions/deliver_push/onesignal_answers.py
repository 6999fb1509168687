"""What OneSignal's answers mean: https://documentation.onesignal.com/reference/rate-limits and /push-notification.

One subscription is named per request, so whatever is said about recipients is said about this one. A request whose
idempotency key is known is answered with what came of the first: a duplicate reads as taken.
"""

from __future__ import annotations

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

UNKNOWN_ID, UNSUBSCRIBED, NOBODY, APP = "unknown subscription", "not subscribed", "nobody", "app"

TABLE: Table = (
    row(rf"2\d\d {TAKEN}", ACCEPTED),
    row(rf"2\d\d {UNKNOWN_ID}", replace(GONE, reason="the provider does not know the subscription")),
    row(rf"2\d\d {UNSUBSCRIBED}", replace(GONE, reason="the device is no longer subscribed")),
    row(rf"2\d\d {NOBODY}", replace(REFUSED, reason="the provider found nobody to send it to")),
    row(r"2\d\d .*", PERHAPS_TAKEN),
    row(r"429 .*", TOO_MANY),
    row(r"40[13] .*", NOT_TRUSTED),
    row(rf"400 {APP}|404 .*", NOT_KNOWN),
    row(r"408 .*", TROUBLE),
    row(r"4\d\d .*", REFUSED),
    row(r"504 .*", PERHAPS_TAKEN),  # somebody on the way gave up waiting for OneSignal
    row(r"5\d\d .*", TROUBLE),
    row(r".*", SENSELESS),
)

ABOUT_IDS = ("invalid_player_ids", "invalid_subscription_ids")
TEXTS = (("not subscribed", UNSUBSCRIBED), ("app_id", APP))
"""OneSignal's errors are sentences without a code: what they contain, and what we call it."""


def judge_onesignal(reply: Reply, device: Device) -> Outcome:
    """Turn OneSignal's answer into the outcome for a device."""
    outcome = judge(PushService.ONESIGNAL, TABLE, reply, read_word(reply), device)
    name = reply.document.get("id") if reply.document else None
    return replace(outcome, provider_message_id=name) if isinstance(name, str) and name else outcome


def read_word(reply: Reply) -> str:
    """Find what an answer says: with 200, too, it may be that nobody was found."""
    document = reply.document
    if document is None:
        return GARBLED
    if word := _complaint(document.get("errors")):
        return word
    if reply.status >= 300:
        return NO_WORD
    if document.get("id"):
        return TAKEN
    return NOBODY if "id" in document or "errors" in document else GARBLED


def _complaint(errors: Any) -> str | None:
    if isinstance(errors, dict):
        return UNKNOWN_ID if any(errors.get(name) for name in ABOUT_IDS) else None
    texts = [text for text in errors if isinstance(text, str)] if isinstance(errors, list) else []
    return next((word for part, word in TEXTS if any(part in text for text in texts)), None)
