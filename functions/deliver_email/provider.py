"""Send e-mails by SMTP, and tell honestly what came of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from functions.deliver_email.answers import PROVIDER, Phase, judge_silence
from functions.deliver_email.connections import Connections
from functions.deliver_email.letter_set import LetterSet
from functions.deliver_email.mime import Composer
from functions.deliver_email.relay import Relay
from functions.deliver_email.sender import Sender
from functions.deliver_email.unsubscribe_links import UnsubscribeLinks
from shared.errors import Transient
from shared.outcomes import Letter, Outcome, Tell


class SmtpProvider:
    """A mail server, spoken to over a few connections that are kept open."""

    calls_at_once = 400  # a ceiling: the frame takes fewer while they take their time

    def __init__(
        self,
        relay: Relay,
        sender: str,
        connections: int = 50,
        deadline_seconds: float = 20,
        clock: Callable[[], float] = time.monotonic,
        links: UnsubscribeLinks | None = None,
    ) -> None:
        """Take the settings; connect to nothing yet.

        Raises:
            SettingMissing: the sender is malformed.
        """
        who = Sender.parse(sender)
        self.name = relay.name
        self.deadline_seconds: float = deadline_seconds
        self._clock = clock
        self._links = links
        self._composer = Composer(who, links)
        self._connections = Connections(relay, connections, local_hostname=who.domain)

    async def send(self, letter: Letter) -> Outcome:
        """Make one attempt, within the deadline, whatever the server does."""
        told: list[tuple[int, Outcome | None]] = []
        await self.send_set([letter], told.extend)
        ((_, outcome),) = told
        return outcome or self._named(judge_silence(Phase.WAITING, TimeoutError()))

    async def send_set(self, letters: Sequence[Letter], tell: Tell) -> None:
        """Make one attempt for each letter; return when each has been told, within the deadline.

        None is told of a letter that was not begun, for want of a connection or of time: no letter is begun after the
        deadline, even if this process was stopped meanwhile. Cancelling it cuts the connections in use: nobody may
        find half an answer on one.
        """
        clock, until = self._clock, self._clock() + self.deadline_seconds
        if self._links and not await self._is_prepared(self._links):
            tell([(place, None) for place in range(len(letters))])
            return
        await LetterSet(
            letters,
            tell if self.name == PROVIDER else self._under_its_name(tell),
            composer=self._composer,
            connections=self._connections,
            seconds_left=lambda: until - clock(),
        ).send()

    async def close(self) -> None:
        """Let go of connections."""
        await self._connections.close()

    async def _is_prepared(self, links: UnsubscribeLinks) -> bool:
        """Tell whether links can be written: a mail without one is not sent while our own database is away."""
        try:
            async with asyncio.timeout(self.deadline_seconds):
                await links.prepare()
        except (Transient, TimeoutError):
            return False
        return True

    def _under_its_name(self, tell: Tell) -> Tell:
        return lambda ended: tell([(place, outcome and self._named(outcome)) for place, outcome in ended])

    def _named(self, outcome: Outcome) -> Outcome:
        """Say which of several mail servers it was."""
        return replace(outcome, provider=self.name)
