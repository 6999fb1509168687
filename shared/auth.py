"""Who calls, and for which tenant."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from shared.errors import Refused
from shared.settings import Settings
from shared.tenants import OPEN_TENANT


class Keys:
    """API keys, kept as hashes: a look-up by hash tells nothing about a key by its timing."""

    def __init__(self, settings: Settings) -> None:
        self._open = settings.api_is_open()
        self._tenants = {_hash(key): tenant for key, tenant in settings.keys().items()}

    def tenant(self, headers: Mapping[str, str]) -> str:
        """Find the tenant of a call by its `Authorization: Bearer` or `X-API-Key`.

        Raises:
            Refused: 401, without or with a key that nobody has.
        """
        if self._open:
            return OPEN_TENANT
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        key = bearer.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        tenant = self._tenants.get(_hash(key)) if key else None
        if tenant is None:
            raise Refused(
                401, "Unauthorized", "a valid API key is needed: Authorization: Bearer KEY, or X-API-Key: KEY"
            )
        return tenant


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
