"""What may stand in an envelope: one bare address, and the sender of every mail."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import getaddresses

from shared.errors import Permanent, SettingMissing

# A dot-atom at a host name (RFC 5322 3.4.1), beyond ASCII as RFC 6531 allows. Quoted local parts and address literals
# are left out on purpose: no person's address needs them, and both are ways around a check.
_ATOM = r"[^\s<>()\[\]\\,;:\"@.\x00-\x20\x7f-\xa0]+"
_LABEL = r"[^\W_](?:[\w-]*[^\W_])?"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")

MAX_ADDRESS_BYTES = 254  # RFC 5321 4.5.3.1.3, without the angle brackets
MAX_LOCAL_PART_BYTES = 64  # RFC 5321 4.5.3.1.1


class AddressMalformed(Permanent):
    """No mail server could take this as an address. The message never quotes it."""


def check_address(address: str) -> None:
    """Let a bare address pass.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who every mail is from."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """Name the domain, which is ASCII: `parse` lets nothing else pass."""
        return self.address.rpartition("@")[2]

    @classmethod
    def parse(cls, text: str) -> Sender:
        """Read `Name <address>` or a bare address.

        Raises:
            SettingMissing: it is neither, or the address is not ASCII.
        """
        found = getaddresses([text])
        name, address = found[0] if len(found) == 1 else ("", "")
        try:
            check_address(address)
        except AddressMalformed as malformed:
            raise SettingMissing("EMAIL_FROM must be an address, or Name <address>") from malformed
        if not address.isascii() or "\0" in name:
            raise SettingMissing("EMAIL_FROM must have an ASCII address, and a name without control characters")
        return cls(name=" ".join(name.split()), address=address)
