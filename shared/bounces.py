"""What comes back of a mail: a report by a mail server (RFC 3464), a complaint (RFC 5965), or a relay's JSON.

Whoever can post here can say anything, so nothing but our own Message-ID and codes is taken from it: reasons are our
own sentences, for a server's text quotes the address. What is malformed is none; no input takes more than the work
that its size allows.

The JSON form: {"message_id": "<...>", "type": "bounce" | "complaint" | "delivered", "status": "5.1.1"}; `status` may
be left out, and what else is said is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.policy import Compat32
from typing import Any
from uuid import UUID

from shared import strict_json
from shared.errors import Refused

MAX_BYTES = 65_536
"""The report and the headers of the returned mail come first; what is behind that is not looked at."""

MAX_HEADER = 2000
MAX_PARTS = 20
MAX_BOUNDARIES = 50

DELIVERED, FAILED = "delivered", "failed"

_OURS = re.compile(r"<?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(\d{1,9})@[^\s<>@]{1,253}>?")
_STATUS = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_DEAD = re.compile(r"5\.1\.(?:1|2|3|6|10)")

REASONS: tuple[tuple[re.Pattern[str], str], ...] = (  # the first that a status matches
    (_DEAD, "the address does not exist"),
    (re.compile(r"[45]\.2\.2"), "the mailbox is full"),
    (re.compile(r"5\.7\.\d+"), "the receiving server's policy forbids it"),
    (re.compile(r"4\.\d+\.\d+"), "the receiving server could not be reached in time"),
    (re.compile(r".*"), "the mail came back"),
)
COMPLAINED = "the person reported it as unwanted"
ARRIVED = "the receiving server confirmed it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """What became of a mail after it was sent, and whether its address is to be suppressed."""

    notification_id: UUID
    epoch: int
    receipt: str
    reason: str
    suppress: bool = False


class _Bounded(Compat32):
    """Cuts long headers: the standard library's parser takes the square of their parameters' number."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        """Read one header."""
        name, value = super().header_source_parse(sourcelines)
        return name, value[:MAX_HEADER]


_POLICY = _Bounded()


def read_bounce(content_type: str, body: bytes) -> Bounce | None:
    """Read a report; None if it is malformed, about no mail of ours, or says nothing final.

    A whole mail comes as message/rfc822, or as multipart/report, without its own headers but with their Content-Type.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "application/json":
        return _from_json(body)
    body = body[:MAX_BYTES]
    if media_type == "message/rfc822":
        return _from_mail(body)
    if media_type == "multipart/report" and not re.search(r"[\r\n]", content_type):
        return _from_mail(b"Content-Type: %b\r\n\r\n%b" % (content_type.encode(errors="replace"), body))
    return None


def _from_json(body: bytes) -> Bounce | None:
    try:
        said = strict_json.parse(body)
    except Refused:
        return None
    if not isinstance(said, dict):
        return None
    texts = {name: value for name, value in said.items() if isinstance(value, str)}
    return _judge(texts.get("type", ""), texts.get("status", ""), texts.get("message_id", ""))


def _from_mail(raw: bytes) -> Bounce | None:
    if raw.lower().count(b"boundary") > MAX_BOUNDARIES:  # each level of parts asks each line whether it ends there
        return None
    try:
        parts = list(_parts(message_from_bytes(raw, policy=_POLICY)))
    except RecursionError:  # mails within mails within mails
        return None
    returned = _returned(parts)
    message_id = str(returned.get("Message-ID", "")) if returned is not None else ""
    for part in parts:
        if part.get_content_type() == "message/delivery-status":
            return _from_status(part, message_id, str(returned.get("To", "")) if returned is not None else "")
        if part.get_content_type() == "message/feedback-report":
            is_abuse = any(str(each.get("Feedback-Type", "")).strip().lower() == "abuse" for each in _fields(part))
            return _judge("complaint", "", message_id) if is_abuse else None
    return None


def _parts(mail: Message) -> Iterator[Message]:
    """List the parts of a report, not what hangs on the mail that it returns."""
    if mail.get_content_type() != "multipart/report" or not isinstance(mail.get_payload(), list):
        return
    yield from [part for part in mail.get_payload() if isinstance(part, Message)][:MAX_PARTS]


def _fields(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [each for each in payload if isinstance(each, Message)][:MAX_PARTS] if isinstance(payload, list) else []


def _returned(parts: list[Message]) -> Message | None:
    """Find the headers of the mail that was returned, whole or without its body."""
    for part in parts:
        if part.get_content_type() == "message/rfc822":
            return next(iter(_fields(part)), None)
        if part.get_content_type() in {"text/rfc822-headers", "message/rfc822-headers"}:
            text = part.get_payload(decode=True)
            return (
                message_from_bytes(text, policy=_POLICY) if isinstance(text, bytes) else next(iter(_fields(part)), None)
            )
    return None


def _from_status(part: Message, message_id: str, wrote_to: str) -> Bounce | None:
    for fields in _fields(part):
        action = str(fields.get("Action", "")).strip().lower()
        if action not in {DELIVERED, FAILED}:
            continue  # delayed, relayed, expanded: not the end
        status = str(fields.get("Status", ""))
        about = str(fields.get("Final-Recipient", "")).partition(";")[2].strip()
        is_ours = not about or not wrote_to or about.lower() == wrote_to.strip().lower()
        return _judge("delivered" if action == DELIVERED else "bounce", status, message_id, is_ours=is_ours)
    return None


def _judge(what: str, status: str, message_id: str, *, is_ours: bool = True) -> Bounce | None:
    """Put it together. `is_ours` tells that it is about the address that we wrote to, not about one behind it."""
    ours, code = _OURS.fullmatch(message_id.strip().lower()), _STATUS.match(status)
    if not ours or what not in {"bounce", "complaint", "delivered"}:
        return None
    said = code[1] if code else ""
    known: dict[str, Any] = {"notification_id": UUID(ours[1]), "epoch": int(ours[2])}
    if what == "delivered":
        return Bounce(receipt=DELIVERED, reason=ARRIVED, **known)
    if what == "complaint":  # it has arrived, and is not wanted
        return Bounce(receipt=DELIVERED, reason=COMPLAINED, suppress=True, **known)
    reason = next(reason for pattern, reason in REASONS if pattern.fullmatch(said))
    return Bounce(receipt=FAILED, reason=reason, suppress=is_ours and _DEAD.fullmatch(said) is not None, **known)
