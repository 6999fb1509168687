"""Keys and secrets in memory: nobody has made a key here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.store.keys import Keys, LiveKey
from shared.store.secrets import Secrets


class MemoryKeys(Keys):
    """The room of the gate, where only the settings have keys."""

    def __init__(self) -> None:
        pass

    async def find(self, hashes: Sequence[bytes]) -> Mapping[bytes, LiveKey]:
        """Find none."""
        return {}


class MemorySecrets(Secrets):
    """The installation's own secrets."""

    def __init__(self) -> None:
        pass

    async def get(self, name: str) -> bytes:
        """Give each name a secret of its own."""
        return f"the secret of {name}, long enough to sign with".encode()
