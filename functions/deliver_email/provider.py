"""Send e-mails by SMTP, and tell honestly what came of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from functions.deliver_email.address import Sender
from functions.deliver_email.answers import PROVIDER, Phase, judge_silence
from functions.deliver_email.connections import Connections
from functions.deliver_email.letter_set import LetterSet
from functions.deliver_email.mime import Composer
from functions.deliver_email.relay import Relay
from shared.outcomes import Letter, Outcome, Tell


class SmtpProvider:
    """A mail server, spoken to over a few connections that are kept open."""

    name = PROVIDER
    calls_at_once = 400  # a ceiling: the frame takes fewer while they take their time

    def __init__(
        self,
        url: str,
        sender: str,
        connections: int = 50,
        deadline_seconds: float = 20,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the settings; connect to nothing yet.

        Raises:
            SettingMissing: the URL or the sender is malformed.
        """
        who = Sender.parse(sender)
        self.deadline_seconds: float = deadline_seconds
        self._clock = clock
        self._composer = Composer(who)
        self._connections = Connections(Relay.parse(url), connections, local_hostname=who.domain)

    async def send(self, letter: Letter) -> Outcome:
        """Make one attempt, within the deadline, whatever the server does."""
        told: list[tuple[int, Outcome | None]] = []
        await self.send_set([letter], told.extend)
        ((_, outcome),) = told
        return outcome or judge_silence(Phase.WAITING, TimeoutError())

    async def send_set(self, letters: Sequence[Letter], tell: Tell) -> None:
        """Make one attempt for each letter; return when each has been told, within the deadline.

        None is told of a letter that was not begun, for want of a connection or of time: no letter is begun after the
        deadline, even if this process was stopped meanwhile. Cancelling it cuts the connections in use: nobody may
        find half an answer on one.
        """
        clock, until = self._clock, self._clock() + self.deadline_seconds
        await LetterSet(
            letters,
            tell,
            composer=self._composer,
            connections=self._connections,
            seconds_left=lambda: until - clock(),
        ).send()

    async def close(self) -> None:
        """Let go of connections."""
        await self._connections.close()
