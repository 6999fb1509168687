"""What a channel can be told beyond the words: in an event's `data.options`, and in a workflow for all of its events.

What an event says goes before what its workflow says, field by field. Both are checked where they enter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StringConstraints
from pydantic_core import PydanticCustomError

from shared.addresses import AsciiEmail
from shared.statuses import Channel

MAX_ATTACHMENTS = 10
MAX_ATTACHED_BYTES = 5_000_000
"""All files of a mail together: about 7 MB on the wire, where servers begin to refuse at 10."""

_FILE_NAME = r"^[^/\\\x00-\x1f\x7f]+$"
HttpsUrl = Annotated[str, StringConstraints(strict=True, max_length=2000, pattern=r"^https://[!-~]+$")]
Link = Annotated[str, StringConstraints(strict=True, max_length=2000, pattern=r"^[a-z][a-z0-9+.-]*:[!-~]+$")]
Text = Annotated[str, StringConstraints(strict=True, max_length=4096)]


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _one_part(content_type: str) -> str:
    """Keep to what base64 may stand for: what consists of parts may not (RFC 2045 6.4)."""
    if content_type.lower().startswith(("multipart/", "message/")):
        raise PydanticCustomError("content_type", "It must be one file: not multipart, and not message")
    return content_type


def _whole(content: str) -> str:
    if len(content) % 4:
        raise PydanticCustomError("base64", "It must be base64, padded with = to a multiple of four characters")
    return content


class Attachment(_Options):
    """A file in a mail, base64 as JSON carries it."""

    filename: Annotated[
        str, StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=255, pattern=_FILE_NAME)
    ]
    content_type: Annotated[
        str,
        StringConstraints(strict=True, max_length=127, pattern=r"^[A-Za-z0-9.+_-]+/[A-Za-z0-9.+_-]+$"),
        AfterValidator(_one_part),
    ]
    content: Annotated[
        str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9+/]*={0,2}$"), AfterValidator(_whole)
    ] = Field(repr=False)

    @property
    def size_bytes(self) -> int:
        """Count the bytes that it stands for."""
        return len(self.content) * 3 // 4 - self.content[-2:].count("=")


def _bearable(attachments: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
    if sum(attachment.size_bytes for attachment in attachments) > MAX_ATTACHED_BYTES:
        raise PydanticCustomError("too_large", f"Together they may have {MAX_ATTACHED_BYTES} bytes at most")
    return attachments


Attachments = Annotated[tuple[Attachment, ...], Field(max_length=MAX_ATTACHMENTS), AfterValidator(_bearable)]


class EmailOptions(_Options):
    """E-mail: where answers go, and what hangs on it."""

    reply_to: AsciiEmail | None = None
    html: Annotated[str, StringConstraints(strict=True, max_length=100_000)] | None = Field(default=None, repr=False)
    attachments: Attachments = ()


class WhatsAppOptions(_Options):
    """WhatsApp: the approved template, needed outside the 24 hours after the person's last word."""

    content_sid: Annotated[str, StringConstraints(strict=True, pattern=r"^HX[0-9a-fA-F]{32}$")] | None = None
    content_variables: dict[Annotated[str, StringConstraints(pattern=r"^\w{1,16}$")], Text] = Field(
        default_factory=dict, max_length=100
    )


class PushOptions(_Options):
    """Push: what a phone shows besides title and text, and what the app gets."""

    image_url: HttpsUrl | None = None
    link: Link | None = None
    data: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z]\w{0,63}$")], Text] = Field(
        default_factory=dict, max_length=50
    )


class TelegramOptions(_Options):
    """Telegram: whether the phone makes a sound, and whether links are unfolded."""

    silent: StrictBool = False
    link_preview: StrictBool = True


class Options(_Options):
    """The options of every channel that has some."""

    email: EmailOptions | None = None
    whatsapp: WhatsAppOptions | None = None
    push: PushOptions | None = None
    telegram: TelegramOptions | None = None

    def by_channel(self) -> dict[str, dict[str, Any]]:
        """Write only what was said, as it is stored."""
        return self.model_dump(mode="json", exclude_unset=True, exclude_none=True)

    @classmethod
    def of_event(cls, data: Mapping[str, Any]) -> Self | None:
        """Read the options of an event's data, if they are there.

        An object of which every key is a channel is meant as options; anything else by that name is a variable for
        templates, like all other data.

        Raises:
            ValidationError: they are meant, and wrong.
        """
        said = data.get("options")
        if not isinstance(said, dict) or not said or not said.keys() <= set(Channel):
            return None
        return cls.model_validate(said)


def options_for(channel: Channel, of_workflow: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Merge what a workflow and an event say about a channel, as plain values for the delivery's content."""
    event = Options.of_event(data)
    said = event.by_channel().get(channel, {}) if event else {}
    return {**of_workflow.get(channel, {}), **said}
