"""The store in memory: the same rooms, the same transactions, another clock."""

from tests.simulation.store.engine import CheckViolated, Memory
from tests.simulation.store.store import MemoryStore

__all__ = ["CheckViolated", "Memory", "MemoryStore"]
