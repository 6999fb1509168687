"""Letters that are sent together, over as many connections as they need and not one more."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from math import ceil

import aiosmtplib

from functions.deliver_email import lock_step
from functions.deliver_email.answers import Phase, Progress, judge, judge_silence, refuse
from functions.deliver_email.attachments import AttachmentRefused
from functions.deliver_email.chunk import Chunk, Ending
from functions.deliver_email.connection import Connection
from functions.deliver_email.connections import Connections
from functions.deliver_email.envelope import Mail
from functions.deliver_email.headers import HeaderRefused
from functions.deliver_email.mime import Composer
from shared.addresses import AddressMalformed, check_address
from shared.outcomes import Letter, Outcome, Tell

CHUNK_BYTES = 131_072  # a chunk with more is not begun; one mail alone may be of any size


class LetterSet:
    """One call's letters. Each waits in line until it is told or begun; what was not begun goes back in line.

    A connection is had first and a letter taken then, so a connection that cannot be had costs no letter anything while
    there are others. Mails are composed right before they are written.
    """

    def __init__(
        self,
        letters: Sequence[Letter],
        tell: Tell,
        *,
        composer: Composer,
        connections: Connections,
        seconds_left: Callable[[], float],
    ) -> None:
        self._letters = letters
        self._tell = tell
        self._composer = composer
        self._connections = connections
        self._seconds_left = seconds_left
        self._line: deque[int] = deque()
        self._untold = len(letters)
        self._crew: set[asyncio.Task[None]] = set()
        self._failure: Outcome | None = None  # the last that is known of the server: it could not be reached
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def send(self) -> None:
        """Return when each letter has been told. Cancelling it cuts every connection on which one is under way."""
        self._refuse_what_no_server_should_see()
        try:
            if self._line:
                self._hire()
                await self._over
        finally:
            crew = list(self._crew)
            for worker in crew:
                worker.cancel()
            if crew:
                await asyncio.gather(*crew, return_exceptions=True)

    def _refuse_what_no_server_should_see(self) -> None:
        refused: list[Ending] = []
        for place, letter in enumerate(self._letters):
            try:
                check_address(letter.address)
                self._composer.check(letter)
                self._line.append(place)
            except AddressMalformed as malformed:
                refused.append((place, refuse("address malformed", str(malformed))))
            except HeaderRefused as broken:
                why = f"the {broken} header would hold a line break or a malformed value"
                refused.append((place, refuse("header refused", why)))
            except AttachmentRefused as broken:
                refused.append((place, refuse("attachment refused", str(broken))))
        self._note(refused)

    def _hire(self) -> None:
        """Let as many connections work as there are full writes left."""
        wanted = min(self._connections.inviting, ceil(self._untold / self._connections.pace.mails))
        while self._line and len(self._crew) < wanted:
            worker = asyncio.create_task(self._work())
            self._crew.add(worker)
            worker.add_done_callback(self._dismiss)

    def _dismiss(self, worker: asyncio.Task[None]) -> None:
        self._crew.discard(worker)
        if self._over.done() or worker.cancelled():
            return
        if bug := worker.exception():
            self._over.set_exception(bug)
        elif not self._crew:  # no time is left, or no connection can be had
            left, self._line = list(self._line), deque()
            self._note([(place, self._failure) for place in left])

    def _note(self, ended: Sequence[Ending]) -> None:
        if ended:
            self._untold -= len(ended)
            self._tell(ended)
        if not self._untold and not self._over.done():
            self._over.set_result(None)

    async def _work(self) -> None:
        """Carry letters over one connection after the other, a new one whenever one is spent or lost."""
        is_fresh = False
        while self._line and self._seconds_left() > 0:
            connection = await self._borrow(is_fresh=is_fresh)
            if connection is None:
                return
            try:
                await self._use(connection)
            finally:
                self._connections.give_back(connection)
            is_fresh = True

    async def _borrow(self, *, is_fresh: bool) -> Connection | None:
        progress = Progress()
        try:
            async with asyncio.timeout(self._seconds_left()):
                return await self._connections.borrow(progress, is_fresh=is_fresh)
        except aiosmtplib.SMTPResponseException as answer:
            self._failure = judge(progress.phase, answer.code, answer.message)
        except (aiosmtplib.SMTPException, OSError) as failure:  # TimeoutError is an OSError
            if progress.phase is not Phase.WAITING and not self._connections.open:
                self._failure = judge_silence(progress.phase, failure)
        return None

    async def _use(self, connection: Connection) -> None:
        while self._line and connection.mails_left and self._seconds_left() > 0:
            self._hire()
            if not connection.is_pipelined:
                await self._write_one(connection)
            elif await connection.is_awake(self._seconds_left):
                await self._write_chunk(connection)

    async def _write_one(self, connection: Connection) -> None:
        place = self._line.popleft()
        mail = self._composer.compose(self._letters[place])
        outcome = connection.offered.refusal(mail)
        if outcome is None:
            outcome = await lock_step.hand_over(connection, mail, self._composer.envelope_sender, self._seconds_left)
        self._settle([(place, outcome)])

    async def _write_chunk(self, connection: Connection) -> None:
        pace = self._connections.pace
        places, mails = self._take(connection, pace.mails)
        if not mails:
            return
        sender, offered = self._composer.envelope_sender, connection.offered
        chunk = Chunk(mails, sender, offered, needs_reset=connection.needs_reset)
        began, busy = time.monotonic(), time.thread_time()
        await connection.carry(
            chunk, self._seconds_left, lambda ended: self._settle([(places[nth], outcome) for nth, outcome in ended])
        )
        if chunk.exchange.failure is None:
            pace.note(len(mails), time.monotonic() - began, time.thread_time() - busy)
        else:
            pace.break_off()

    def _take(self, connection: Connection, most: int) -> tuple[list[int], list[Mail]]:
        """Take letters out of the line for one write, and compose them."""
        places: list[int] = []
        mails: list[Mail] = []
        size = 0
        most = min(most, connection.mails_left)
        while self._line and len(mails) < most and size < CHUNK_BYTES:
            place = self._line.popleft()
            mail = self._composer.compose(self._letters[place])
            if refusal := connection.offered.refusal(mail):
                self._note([(place, refusal)])
                continue
            places.append(place)
            mails.append(mail)
            size += len(mail.message)
        return places, mails

    def _settle(self, ended: Sequence[Ending]) -> None:
        """Tell what has ended, and put the rest back in front of the line."""
        told = [ending for ending in ended if ending[1] is not None]
        if told:
            self._failure = None
        self._line.extendleft(place for place, outcome in reversed(ended) if outcome is None)
        self._note(told)
