"""Deterministic ids: the same cause always gets the same id, so that a repetition is recognised as one."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid5

NAMESPACE = UUID("7c9a3f52-5d0e-5b7e-9a49-0c1d5e0b7a11")


def notification_id(tenant: str, source: str, key: str, user_id: str) -> UUID:
    """Name the notification of one event (its source and id, or an idempotency key) for one user."""
    return uuid5(NAMESPACE, "\x1f".join(("notification", tenant, source, key, user_id)))


def fan_out_id(tenant: str, source: str, key: str) -> UUID:
    """Name one event for many users."""
    return uuid5(NAMESPACE, "\x1f".join(("fan-out", tenant, source, key)))


def recipient_id(tenant: str, channel: str, address: str) -> str:
    """Name the user whom an address without an account becomes. It says nothing about the address."""
    return f"recipient-{uuid5(NAMESPACE, chr(31).join(('recipient', tenant, channel, address)))}"


def delivery_key(notification: UUID, channel: str, epoch: int) -> UUID:
    """Name a delivery towards its provider: the same for every attempt of one epoch."""
    return uuid5(notification, f"delivery\x1f{channel}\x1f{epoch}")


def command_id(notification: UUID, channel: str, attempt: int, epoch: int) -> str:
    """Name the command that asks for one attempt. It is read by people too, so it is not hashed."""
    return f"{notification}/{channel}/{epoch}/{attempt}"


def message_id(notification: UUID, kind: str, epoch: int) -> str:
    """Name any other message of a saga."""
    return f"{notification}/{kind}/{epoch}"


def bundle_id(members: Sequence[str]) -> str:
    """Name a message that carries these messages."""
    return str(uuid5(NAMESPACE, "\x1f".join(("bundle", *members))))
