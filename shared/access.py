"""Whom an operation lets in, and who calls."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.rates import Rate


class Access(StrEnum):
    """What a caller must be allowed for an operation. A key's scopes are some of these."""

    PUBLIC = "public"  # anybody: the call carries its own proof, or tells nothing
    SEND = "send"  # post events and notifications, cancel them
    READ = "read"  # look at notifications, people, rules, templates
    MANAGE = "manage"  # change people, rules, templates, suppressions; replay and discard
    RECEIPTS = "receipts"  # report what became of messages: for a provider's callback
    ADMIN = "admin"  # make and revoke keys, change the tenant's own settings
    PERSON = "person"  # what belongs to one person: by that person's token, or by whoever has read or manage


SCOPES = (Access.SEND, Access.READ, Access.MANAGE, Access.RECEIPTS, Access.ADMIN)
"""What a key may have, and an operator's token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: a key with its scopes, or a person with a token, who may have some, too: an operator.

    `name` is safe for a log and for a record. `rate` is how often it may call, None: as it likes. `valid_seconds` is
    how long a person's token lives from now on.
    """

    tenant: str
    name: str
    scopes: frozenset[Access] = frozenset()
    user_id: str | None = None
    rate: Rate | None = None
    valid_seconds: float | None = None

    def may(self, access: Access) -> bool:
        """Tell whether a scope is enough; what belongs to a person is asked with `may_be`."""
        return access is Access.PUBLIC or access in self.scopes

    def may_be(self, user_id: str, *, is_reading: bool) -> bool:
        """Tell whether what belongs to a person is open to this caller."""
        if self.user_id == user_id:
            return True
        return Access.MANAGE in self.scopes or (is_reading and Access.READ in self.scopes)
