"""All rooms of the store over one database."""

from __future__ import annotations

from datetime import timedelta

from shared.saga.owed import GRACE
from shared.store.breakers import OPEN_SECONDS, Breakers
from shared.store.claims import Claims
from shared.store.contacts import Contacts
from shared.store.database import Database
from shared.store.dead_letters import DeadLetters
from shared.store.devices import Devices
from shared.store.digests import Digests
from shared.store.directory import Directory
from shared.store.erasures import Erasures
from shared.store.fan_outs import FanOuts
from shared.store.gauges import Gauges
from shared.store.hints import Hints
from shared.store.inbox import Inbox
from shared.store.intake import Intake
from shared.store.keys import Keys
from shared.store.letters import Letters
from shared.store.listing import Listing
from shared.store.looks import Looks
from shared.store.overview import Overview
from shared.store.receipts import Receipts
from shared.store.sagas import Sagas
from shared.store.secrets import Secrets
from shared.store.snapshots import Snapshots
from shared.store.suppressions import Suppressions
from shared.store.templates import Templates
from shared.store.unlocked import UnlockedSagas
from shared.store.users import Users
from shared.store.views import Views


class Store:
    """The door to Postgres: nobody else speaks SQL.

    `grace` is how long after a due time the sweep brings what a queue should have brought.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_max: int = 10,
        breaker_open_seconds: float = OPEN_SECONDS,
        grace: timedelta = GRACE,
    ) -> None:
        self.database = Database(url, max_size=pool_max)
        self.intake = Intake(self.database)
        self.sagas = Sagas(self.database, grace)
        self.secrets = Secrets(self.database)
        self.claims = Claims(self.database)
        self.breakers = Breakers(self.database, open_seconds=breaker_open_seconds)
        self.contacts = Contacts(self.database)
        self.dead_letters = DeadLetters(self.database)
        self.devices = Devices(self.database)
        self.digests = Digests(self.database)
        self.directory = Directory(self.database)
        self.erasures = Erasures(self.database)
        self.fan_outs = FanOuts(self.database)
        self.gauges = Gauges(self.database)
        self.hints = Hints(url, self.database)
        self.inbox = Inbox(self.database)
        self.keys = Keys(self.database)
        self.letters = Letters(self.database)
        self.listing = Listing(self.database)
        self.looks = Looks(self.database)
        self.overview = Overview(self.database)
        self.receipts = Receipts(self.database)
        self.snapshots = Snapshots(self.database)
        self.suppressions = Suppressions(self.database)
        self.templates = Templates(self.database)
        self.unlocked = UnlockedSagas(self.database, grace)
        self.users = Users(self.database)
        self.views = Views(self.database)

    async def open(self, *, patience_seconds: float = 60) -> None:
        """Connect, waiting for the database if it is not up yet."""
        await self.database.open(patience_seconds=patience_seconds)

    async def close(self) -> None:
        """Let the connections go."""
        await self.hints.close()
        await self.database.close()

    async def is_ready(self) -> bool:
        """Tell whether the database answers."""
        return bool(await self.database.fetch("SELECT 1"))
