"""The sender of every mail."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import getaddresses

from shared.addresses import AddressMalformed, check_address
from shared.errors import SettingMissing


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
