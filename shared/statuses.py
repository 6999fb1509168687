"""The closed sets of the domain, and what may follow what.

The migration that creates the tables carries the same two transition tables, and a test holds them together:
the database refuses every other change.
"""

from __future__ import annotations

from enum import StrEnum


class Channel(StrEnum):
    """A way to reach a person. Each has a work queue and a function of its own."""

    EMAIL = "email"
    WHATSAPP = "whatsapp"
    SMS = "sms"
    PUSH = "push"
    TELEGRAM = "telegram"
    WEBSOCKET = "websocket"


class PushService(StrEnum):
    """Who carries push messages to devices. A device belongs to the one that gave its token."""

    FCM = "fcm"
    ONESIGNAL = "onesignal"


class NotificationStatus(StrEnum):
    """Where one notification, one event for one user, stands."""

    SCHEDULED = "scheduled"  # accepted, to be looked at no earlier than send_at
    PENDING = "pending"  # accepted, not yet routed
    QUEUED = "queued"  # routed: at least one delivery is under way
    SENT = "sent"  # a provider took it, or the inbox holds it
    DELIVERED = "delivered"  # the person's device or client said so
    COMPENSATING = "compensating"  # every channel gave up; what can be undone is being undone
    FAILED = "failed"  # compensated, and kept as a dead letter
    CANCELLED = "cancelled"  # the caller called it back in time
    SKIPPED = "skipped"  # nobody wanted it
    EXPIRED = "expired"  # too late to be of use
    UNKNOWN = "unknown"  # a provider may have it; a person decides


class DeliveryStatus(StrEnum):
    """Where one channel of a notification stands."""

    QUEUED = "queued"  # an attempt is asked for
    SENDING = "sending"  # an attempt is claimed, or its outcome is recorded and not yet folded
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    RETRYING = "retrying"  # failed for now; due again, one try less
    DEFERRED = "deferred"  # told to wait; due again, no try used
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    RETRACTED = "retracted"  # sent, and taken back by the compensation


class OutcomeKind(StrEnum):
    """What came of one call to a provider. The adapter decides it, nobody else."""

    ACCEPTED = "accepted"  # the provider took responsibility
    PERMANENT = "permanent"  # it will never work
    TRANSIENT = "transient"  # it may work soon
    THROTTLED = "throttled"  # it will work later; not a failure
    AMBIGUOUS = "ambiguous"  # the provider may have taken it


N, D = NotificationStatus, DeliveryStatus

NOTIFICATION_TRANSITIONS: dict[NotificationStatus, frozenset[NotificationStatus]] = {
    N.SCHEDULED: frozenset({N.PENDING, N.CANCELLED, N.EXPIRED}),
    N.PENDING: frozenset({N.QUEUED, N.SENT, N.SKIPPED, N.COMPENSATING, N.CANCELLED, N.EXPIRED}),
    N.QUEUED: frozenset({N.SENT, N.DELIVERED, N.COMPENSATING, N.SKIPPED, N.CANCELLED, N.EXPIRED, N.UNKNOWN}),
    N.SENT: frozenset({N.DELIVERED, N.QUEUED, N.COMPENSATING}),
    N.DELIVERED: frozenset(),
    N.COMPENSATING: frozenset({N.FAILED, N.CANCELLED, N.SENT}),
    N.FAILED: frozenset({N.PENDING, N.SENT}),
    N.CANCELLED: frozenset({N.COMPENSATING}),
    N.SKIPPED: frozenset({N.SENT}),
    N.EXPIRED: frozenset({N.SENT}),
    N.UNKNOWN: frozenset({N.PENDING, N.SENT}),
}

_ENDS_OF_A_DIGEST = frozenset({N.SENT, N.DELIVERED, N.FAILED, N.CANCELLED, N.SKIPPED, N.EXPIRED, N.UNKNOWN})
MEMBER_TRANSITIONS: dict[NotificationStatus, frozenset[NotificationStatus]] = {
    **dict.fromkeys(NotificationStatus, frozenset()),
    N.PENDING: frozenset({N.SCHEDULED}),
    N.SCHEDULED: _ENDS_OF_A_DIGEST | {N.QUEUED},
    N.QUEUED: _ENDS_OF_A_DIGEST,
    N.SENT: _ENDS_OF_A_DIGEST - {N.SENT},
    N.FAILED: _ENDS_OF_A_DIGEST - {N.FAILED},
    N.UNKNOWN: _ENDS_OF_A_DIGEST - {N.UNKNOWN},
    N.SKIPPED: frozenset({N.SENT, N.DELIVERED}),
    N.EXPIRED: frozenset({N.SENT, N.DELIVERED}),
}
"""The same for a notification that is one of many in a digest: `queued` in it, it ends as the digest does."""

DELIVERY_TRANSITIONS: dict[DeliveryStatus, frozenset[DeliveryStatus]] = {
    D.QUEUED: frozenset({D.SENDING, D.DEFERRED, D.SENT, D.FAILED, D.CANCELLED}),
    D.SENDING: frozenset(
        {D.QUEUED, D.SENT, D.DELIVERED, D.READ, D.RETRYING, D.DEFERRED, D.FAILED, D.CANCELLED, D.UNKNOWN}
    ),
    D.RETRYING: frozenset({D.SENDING, D.DEFERRED, D.SENT, D.FAILED, D.CANCELLED}),
    D.DEFERRED: frozenset({D.SENDING, D.SENT, D.FAILED, D.CANCELLED}),
    D.SENT: frozenset({D.DELIVERED, D.READ, D.FAILED, D.RETRACTED, D.QUEUED}),
    D.DELIVERED: frozenset({D.READ, D.RETRACTED}),
    D.READ: frozenset({D.RETRACTED}),
    D.FAILED: frozenset({D.SENT, D.QUEUED}),
    D.CANCELLED: frozenset({D.SENT, D.QUEUED}),
    D.UNKNOWN: frozenset({D.SENT, D.DELIVERED, D.READ, D.QUEUED}),
    D.RETRACTED: frozenset({D.QUEUED}),
}

TERMINAL = frozenset({N.SENT, N.DELIVERED, N.FAILED, N.CANCELLED, N.SKIPPED, N.EXPIRED, N.UNKNOWN})
"""A notification here is owed nothing more, unless a sent delivery still waits for its acknowledgement."""

UNDER_WAY = frozenset({D.QUEUED, D.SENDING, D.RETRYING, D.DEFERRED})
"""A delivery here will still change by itself."""

REACHED = frozenset({D.SENT, D.DELIVERED, D.READ})
"""A delivery here was taken by its provider."""

del N, D
