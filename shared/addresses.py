"""Addresses of people, as they come in: each is one address, and can end neither a command nor a header.

What passes is written in one form, so that the same address is the same text. The libraries are large, and are loaded
by whoever first checks an address.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from shared.errors import Permanent

# A dot-atom at a host name (RFC 5322 3.4.1), beyond ASCII as RFC 6531 allows. Quoted local parts and address literals
# are left out on purpose: no person's address needs them, and both are ways around a check.
_ATOM = r"[^\s<>()\[\]\\,;:\"@.\x00-\x20\x7f-\xa0]+"
_LABEL = r"[^\W_](?:[\w-]*[^\W_])?"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")

MAX_ADDRESS_BYTES = 254  # RFC 5321 4.5.3.1.3, without the angle brackets
MAX_LOCAL_PART_BYTES = 64  # RFC 5321 4.5.3.1.1

# The library takes nobody at `localhost`, `.local` or `.test`, and cannot be told to; a mail server of one's own does.
# With a label behind it a name passes by the same rules, but for that one.
_ELSEWHERE = ".x"


class AddressMalformed(Permanent):
    """No mail server could take this as an address. The message never quotes it."""


def check_address(address: str) -> None:
    """Let a bare e-mail address pass.

    Raises:
        AddressMalformed: it is none, or it carries what could end a command or a header.
    """
    try:
        size_bytes, local_bytes = len(address.encode()), len(address.partition("@")[0].encode())
    except UnicodeEncodeError:
        raise AddressMalformed("the address is not text") from None
    if size_bytes > MAX_ADDRESS_BYTES or local_bytes > MAX_LOCAL_PART_BYTES:
        raise AddressMalformed("the address is too long")
    if not _ADDRESS.fullmatch(address):
        raise AddressMalformed("the address is malformed")


def on_the_wire(address: str) -> str:
    """Write the domain in ASCII (RFC 5891) where that makes the whole address ASCII: then any mail server takes it."""
    if address.isascii():
        return address
    found = _read_email(address)
    return found[1] or address if found else address


def _read_email(text: str) -> tuple[str, str | None] | None:
    """Write an address in its one form, and in ASCII where it has such a form; None if it is no address."""
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(text + _ELSEWHERE, check_deliverability=False, globally_deliverable=False)
        normal = found.normalized.removesuffix(_ELSEWHERE)
        check_address(normal)
    except (EmailNotValidError, AddressMalformed):
        return None
    return normal, found.ascii_email and found.ascii_email.removesuffix(_ELSEWHERE)


def _email(text: str) -> str:
    found = _read_email(text)
    if found is None:
        raise PydanticCustomError("email", "It must be one e-mail address, such as ada@example.com")
    return found[0]


def _ascii_email(text: str) -> str:
    found = on_the_wire(text)
    if not found.isascii():
        raise PydanticCustomError("ascii_email", "Before the @ it must be ASCII: not every mail server takes more")
    return found


def _phone(text: str) -> str:
    """Check that a number is possible: whether anybody has it, only its network knows."""
    import phonenumbers

    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise PydanticCustomError("phone", "It must be a phone number with its country code, such as +15551234567")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _as_text(value: object) -> object:
    """Let a chat's id be a number, as Telegram itself writes it. To Python a boolean is one; here it is not."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Email = Annotated[str, StringConstraints(strict=True, max_length=MAX_ADDRESS_BYTES), AfterValidator(_email)]
AsciiEmail = Annotated[Email, AfterValidator(_ascii_email)]
Phone = Annotated[
    str, StringConstraints(strict=True, pattern=r"^\+[0-9 ()./-]{4,30}$"), AfterValidator(_phone)
]  # E.164
# A person, a group (negative), or a public channel. An id has at most 52 bits, as the Bot API says of `Chat.id`.
_CHAT = r"^(-?[1-9][0-9]{0,15}|@[A-Za-z][A-Za-z0-9_]{3,31})$"
INTEGER = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
Chat = Annotated[
    str,
    StringConstraints(strict=True, pattern=_CHAT),
    BeforeValidator(_as_text),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": _CHAT}, INTEGER]}),
]
