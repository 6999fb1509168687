"""Files that hang on a mail, as its options hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from functions.deliver_email.headers import file_name_parameter
from functions.deliver_email.parts import in_lines
from shared.errors import Permanent
from shared.options import Attachment, Attachments

_READ = TypeAdapter(Attachments)


class AttachmentRefused(Permanent):
    """A file cannot hang on a mail. The message never holds its name or its bytes."""


def read_attachments(options: Mapping[str, Any]) -> Sequence[Attachment]:
    """Read the files of a mail: by the same rules as where they came in, for the rows may be older than the rules.

    Raises:
        AttachmentRefused: they are too many or too large, or one has a name, a type or bytes that it may not have.
    """
    said = options.get("attachments")
    if not said:
        return ()
    try:
        return _READ.validate_python(said)
    except ValidationError:
        raise AttachmentRefused("an attachment is malformed, or together they are too large") from None


def attachment_part(attachment: Attachment) -> bytes:
    """Write a file with its own headers. It is base64 already, and only broken into lines."""
    head = (
        f"Content-Type: {attachment.content_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment{file_name_parameter(attachment.filename)}\r\n\r\n"
    )
    return head.encode() + in_lines(attachment.content.encode())
