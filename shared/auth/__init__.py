"""Who calls, for which tenant, and whether they may: keys of the environment, keys of the database, people's tokens."""

from shared.auth.gate import Gate
from shared.auth.keys import Keys

__all__ = ["Gate", "Keys"]
