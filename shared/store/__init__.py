"""The door to Postgres: nobody else speaks SQL."""

from shared.store.store import Store

__all__ = ["Store"]
