"""All rooms of the store over one database in memory."""

from __future__ import annotations

from shared.store import Store
from shared.store.breakers import OPEN_SECONDS
from tests.simulation.store.breakers import MemoryBreakers
from tests.simulation.store.claims import MemoryClaims
from tests.simulation.store.contacts import MemoryContacts
from tests.simulation.store.credentials import MemoryKeys, MemorySecrets
from tests.simulation.store.dead_letters import MemoryDeadLetters
from tests.simulation.store.devices import MemoryDevices
from tests.simulation.store.digests import MemoryDigests
from tests.simulation.store.directory import MemoryDirectory, MemoryGauges
from tests.simulation.store.engine import Memory
from tests.simulation.store.erasures import MemoryErasures
from tests.simulation.store.fan_outs import MemoryFanOuts
from tests.simulation.store.hints import MemoryHints
from tests.simulation.store.inbox import MemoryInbox
from tests.simulation.store.intake import MemoryIntake
from tests.simulation.store.looks import MemoryLooks
from tests.simulation.store.receipts import MemoryReceipts
from tests.simulation.store.sagas import MemorySagas
from tests.simulation.store.templates import MemoryTemplates
from tests.simulation.store.unlocked import MemoryUnlockedSagas
from tests.simulation.store.views import MemoryViews


class MemoryStore(Store):
    """The store without Postgres: for the simulation, under the contract of the real one."""

    def __init__(self, memory: Memory, *, breaker_open_seconds: float = OPEN_SECONDS) -> None:
        self.memory = memory
        self.intake = MemoryIntake(memory)
        self.sagas = MemorySagas(memory)
        self.claims = MemoryClaims(memory)
        self.breakers = MemoryBreakers(memory, open_seconds=breaker_open_seconds)
        self.contacts = MemoryContacts(memory)
        self.dead_letters = MemoryDeadLetters(memory)
        self.devices = MemoryDevices(memory)
        self.digests = MemoryDigests(memory)
        self.directory = MemoryDirectory(memory)
        self.erasures = MemoryErasures()
        self.fan_outs = MemoryFanOuts(memory)
        self.gauges = MemoryGauges(memory)
        self.keys = MemoryKeys()
        self.secrets = MemorySecrets()
        self.hints = MemoryHints()
        self.inbox = MemoryInbox(memory)
        self.looks = MemoryLooks(memory)
        self.receipts = MemoryReceipts(memory)
        self.templates = MemoryTemplates(memory)
        self.unlocked = MemoryUnlockedSagas(memory)
        self.views = MemoryViews(memory)

    async def open(self, *, patience_seconds: float = 60) -> None:
        """Nothing to wait for."""

    async def close(self) -> None:
        """Nothing is held."""

    async def is_ready(self) -> bool:
        """Always."""
        return True
