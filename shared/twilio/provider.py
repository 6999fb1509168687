"""Send by Twilio, on one channel, and tell honestly what came of each message."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.callback_links import callback_link
from shared.outcomes import Letter, Outcome
from shared.twilio.answers import (
    FAILED_STATUSES,
    Ended,
    accept,
    accept_earlier,
    judge,
    judge_failed_message,
    judge_look_up,
    refuse,
)
from shared.twilio.sender import Account, Sender

if TYPE_CHECKING:
    from shared.twilio.line import Message

MAX_TEXT_LENGTH = 1600  # characters, on either channel: Twilio's 21617 says the same, a call later
LONGEST_QUEUED_SECONDS = 36_000  # what Twilio does when nothing is said
CLOCKS_DIFFER = timedelta(seconds=60)
"""By how much Twilio's clock may be behind ours."""

TRIAL_PREFIX = "Sent from your Twilio trial account - "
"""What Twilio writes before every text of an account that is not paid for."""

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")  # E.164. Anything else could name another of Twilio's channels


class TwilioProvider:
    """One sender of one account."""

    calls_at_once = 50

    def __init__(
        self, account: Account, sender: Sender, *, public_url: str | None = None, deadline_seconds: float = 20.0
    ) -> None:
        """Import the SDK; connect to nothing yet."""
        from shared.twilio.line import Line

        # One for each channel, so that WhatsApp's trouble does not open the breaker of the SMS that stands in for it.
        self.name = f"twilio-{sender.channel}"
        self.deadline_seconds: float = deadline_seconds
        self._sender = sender
        self._public_url = public_url
        self._line = Line(account, self.calls_at_once)

    async def send(self, letter: Letter) -> Outcome:
        """Make one attempt, within the deadline; where an earlier one may have been taken, look for it first."""
        until = asyncio.get_running_loop().time() + self.deadline_seconds
        outcome = _flaw(letter)
        if outcome is None and letter.in_doubt_for_seconds is not None:
            outcome = await self._look_up(letter, letter.in_doubt_for_seconds, until)
        if outcome is None:
            outcome = await self._send(letter, until)
        return replace(outcome, provider=self.name)

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()

    async def _send(self, letter: Letter, until: float) -> Outcome:
        message = await self._line.send(self._sender.write(letter.address), self._words(letter), until)
        if isinstance(message, Ended):
            return judge(message, datetime.now(UTC))
        if message.status in FAILED_STATUSES:
            return judge_failed_message(message.error_code)
        return accept(message.sid, message.status)

    async def _look_up(self, letter: Letter, in_doubt_for_seconds: float, until: float) -> Outcome | None:
        """Look for what an earlier attempt may have sent; None if it is not there.

        Found by its words, for Twilio has no key, and by when it was made, not by DateSent: a message that waits in
        Twilio's queue has none yet, and that is the one in doubt. The words of a template are not known here, so it is
        found only where they are the letter's own: rather sent twice than lost.
        """
        sender = None if self._sender.is_service else self._sender.address
        messages = await self._line.newest(self._sender.write(letter.address), sender, until)
        if isinstance(messages, Ended):
            return judge_look_up(messages, datetime.now(UTC))
        since = datetime.now(UTC) - timedelta(seconds=in_doubt_for_seconds) - CLOCKS_DIFFER
        found = next((one for one in messages if self._is_ours(one, letter, since)), None)
        return accept_earlier(found.sid, found.status) if found else None

    def _is_ours(self, message: Message, letter: Letter, since: datetime) -> bool:
        text = letter.text.strip()
        return (
            message.status not in FAILED_STATUSES
            and message.created_at is not None
            and message.created_at >= since
            and self._sender.address in message.senders
            and message.body.strip() in (text, TRIAL_PREFIX + text)
        )

    def _words(self, letter: Letter) -> dict[str, str | int]:
        content_sid, variables = letter.options.get("content_sid"), letter.options.get("content_variables")
        link = callback_link(self._public_url, "twilio", letter)
        said = {
            "messaging_service_sid" if self._sender.is_service else "from_": self._sender.address,
            "content_sid": content_sid,
            "content_variables": json.dumps(variables) if content_sid and variables else None,
            "body": None if content_sid else letter.text,
            "status_callback": link,
            "validity_period": _validity_seconds(letter),
        }
        return {name: value for name, value in said.items() if value is not None}


def _validity_seconds(letter: Letter) -> int | None:
    """Tell for how long Twilio may keep it in its queue, if that is less than it would: nothing stale is sent."""
    seconds = max(1, int(letter.expires_in_seconds))
    return seconds if seconds < LONGEST_QUEUED_SECONDS else None


def _flaw(letter: Letter) -> Outcome | None:
    """Find what Twilio would refuse in any case."""
    if not _NUMBER.fullmatch(letter.address):
        return refuse("number malformed", "the number is not one that can be dialled: +15551234567")
    if not letter.options.get("content_sid") and len(letter.text) > MAX_TEXT_LENGTH:
        return refuse("too long", f"the text is longer than {MAX_TEXT_LENGTH:,} characters")
    return None
