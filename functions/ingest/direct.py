"""Translate what is asked for one person on one channel: a template to a user, or words to an address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import StringConstraints, TypeAdapter, ValidationError

from functions.ingest.checking import check_options, checked, correlation_of, key_of
from functions.ingest.documents import Addressed, Content, SendRequest, Wished
from functions.ingest.fields import UserId
from shared import strict_json
from shared.addresses import Chat, Email, Phone
from shared.headers import Headers, require_media_type, valid_traceparent
from shared.ids import recipient_id
from shared.problems import FieldsRefused, refused_fields
from shared.rendering import AS_GIVEN
from shared.statuses import Channel, PushService
from shared.store.recipients import Recipient
from shared.submissions import HEADER_KEY_SOURCE, Submission, digest, later_parts
from shared.wishes import Wishes

SOURCE = "notifications"
EVENT_TYPE = "notification.send"
TITLE = "Invalid notification"
LONGEST_FIRST_LINE = 78

_WITH_A_SUBJECT = frozenset({Channel.EMAIL, Channel.PUSH})
"""Where a message without a subject looks broken: its first line stands in."""

_Token = Annotated[str, StringConstraints(strict=True, pattern=r"^[!-~]{1,4096}$")]
_ADDRESSES: Mapping[Channel, TypeAdapter[str]] = {
    Channel.EMAIL: TypeAdapter(Email),
    Channel.SMS: TypeAdapter(Phone),
    Channel.WHATSAPP: TypeAdapter(Phone),
    Channel.TELEGRAM: TypeAdapter(Chat),
    Channel.PUSH: TypeAdapter(_Token),
    Channel.WEBSOCKET: TypeAdapter(UserId),
}
_NOT_PRINTED = re.compile(r"\s+")


def read_send(body: bytes, headers: Headers, tenant: str) -> Submission:
    """Read a template, or a message as it is, for a user on exactly one channel.

    Raises:
        Refused: 400, 413, 415 or 422.
    """
    document = _document(body, headers)
    said = checked(SendRequest, document, title=TITLE)
    if said.template is None:
        checked(Content, said.variables, {"message": "variables.message"}, TITLE)
    check_options(said.variables, "variables", TITLE)
    return _submission(
        said,
        headers,
        tenant=tenant,
        user_id=said.user_id,
        event_type=said.template or EVENT_TYPE,
        data=said.variables,
        wishes=_wishes(said, said.channel, said.template),
    )


def read_addressed(body: bytes, headers: Headers, tenant: str) -> Submission:
    """Read words for an address.

    Raises:
        Refused: 400, 413, 415 or 422.
    """
    said = checked(Addressed, _document(body, headers), title=TITLE)
    address = _address(said)
    recipient = None if said.type is Channel.WEBSOCKET else _recipient(said, address)
    subject = said.subject
    if subject is None:
        subject = _first_line(said.message) if said.type in _WITH_A_SUBJECT else ""
    return _submission(
        said,
        headers,
        tenant=tenant,
        user_id=recipient_id(tenant, said.type, _named(recipient)) if recipient else address,
        event_type=EVENT_TYPE,
        data={"subject": subject, "message": said.message},
        wishes=_wishes(said, said.type, AS_GIVEN),
        recipient=recipient,
    )


def _document(body: bytes, headers: Headers) -> Any:
    require_media_type(headers)
    return strict_json.parse(body)


def _submission(said: Wished, headers: Headers, *, tenant: str, **own: Any) -> Submission:
    """Make the record of what both have in common. Without a key of the request it is new each time."""
    key = key_of(headers)
    later = later_parts(said.expires_at, said.collapse_key, said.send_at, own["wishes"])
    return Submission(
        tenant=tenant,
        source=HEADER_KEY_SOURCE if key else SOURCE,
        key=key,
        event_time=None,
        preferred_channel=None,
        correlation_id=correlation_of(headers),
        traceparent=valid_traceparent(headers.get("traceparent")),
        expires_at=said.expires_at,
        collapse_key=said.collapse_key,
        send_at=said.send_at,
        is_key_of_request=key is not None,
        body_hash=digest(own["event_type"], own["user_id"], own["data"], later),
        **own,
    )


def _wishes(said: Wished, channel: Channel, template: str | None) -> Wishes:
    return Wishes(channel=channel, template=template, on_ambiguous=said.on_ambiguous, priority=said.priority)


def _address(said: Addressed) -> str:
    """Check an address by the rules of its channel, and write it in its one form."""
    try:
        return _ADDRESSES[said.type].validate_python(said.recipient)
    except ValidationError as broken:
        detail = refused_fields(broken).detail
    raise FieldsRefused(422, TITLE, [("recipient", detail)])


def _recipient(said: Addressed, address: str) -> Recipient:
    service = (said.provider or _service_of(address)) if said.type is Channel.PUSH else None
    return Recipient(channel=said.type, address=address, service=service)


def _named(recipient: Recipient) -> str:
    return f"{recipient.service}:{recipient.address}" if recipient.service else recipient.address


def _service_of(token: str) -> PushService:
    """Guess who gave a token: OneSignal names a subscription by a UUID, FCM never does."""
    try:
        UUID(token)
    except ValueError:
        return PushService.FCM
    return PushService.ONESIGNAL


def _first_line(message: str) -> str:
    line = _NOT_PRINTED.sub(" ", message.strip().splitlines()[0]).strip()
    return line if len(line) <= LONGEST_FIRST_LINE else line[: LONGEST_FIRST_LINE - 1].rstrip() + "…"
