"""Who owns users, rules and notifications."""

from __future__ import annotations

OPEN_TENANT = "default"
"""The tenant of an open API, and of what names none."""
