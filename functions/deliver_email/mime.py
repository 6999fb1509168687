"""Write a mail as bytes (RFC 5322, 2045-2047, 8058).

By hand, because the standard library's way costs sixty times as much per mail; property tests read every mail back
with the standard library's parser.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache

from functions.deliver_email.attachments import attachment_part, read_attachments
from functions.deliver_email.envelope import Mail
from functions.deliver_email.headers import BREAKS, HeaderRefused, from_header, reply_to_header, text_header
from functions.deliver_email.parts import multipart, text_part
from functions.deliver_email.sender import Sender
from functions.deliver_email.unsubscribe_links import UnsubscribeLinks
from shared.addresses import on_the_wire
from shared.outcomes import Letter


class Composer:
    """Write the mails of one sender."""

    def __init__(self, sender: Sender, links: UnsubscribeLinks | None = None) -> None:
        self._sender = sender
        self._from = from_header(sender)
        self._links = links

    @property
    def envelope_sender(self) -> bytes:
        """Name who gets a bounce."""
        return self._sender.address.encode()

    def message_id(self, letter: Letter) -> str:
        """Name a delivery: the same for every attempt of it, so that a server or a person can see a second copy.

        It says which notification it is, so that what comes back of it finds that without a look-up
        (`shared/bounces.py`).
        """
        return f"<{letter.notification_id}.{letter.epoch}@{self._sender.domain}>"

    def check(self, letter: Letter) -> None:
        """Let a letter pass that `compose` can write: before any server is asked for, and cheap without attachments.

        Raises:
            HeaderRefused: the subject, the address or the address for answers would break out of its header.
            AttachmentRefused: a file cannot hang on a mail.
        """
        if BREAKS.search(letter.address):
            raise HeaderRefused("To")
        if BREAKS.search(letter.subject):
            raise HeaderRefused("Subject")
        if letter.options:
            _reply_to(letter)
            read_attachments(letter.options)

    def compose(self, letter: Letter, now: float | None = None) -> Mail:
        """Write the whole mail with its envelope: CRLF between the lines and at the end, dots not stuffed.

        `now` is in seconds since 1970.

        Raises:
            HeaderRefused, AttachmentRefused: as `check`.
        """
        address, message_id = on_the_wire(letter.address), self.message_id(letter)
        if BREAKS.search(address):
            raise HeaderRefused("To")
        head = (
            f"{self._from}\r\nTo: {address}\r\n{text_header('Subject', letter.subject)}\r\n"
            f"Message-ID: {message_id}\r\nDate: {_date(int(time.time() if now is None else now))}\r\n"
            "Auto-Submitted: auto-generated\r\n"  # RFC 3834: no holiday notes in return
            f"{self._links.headers(letter) if self._links else ''}{_reply_to(letter) if letter.options else ''}"
            "MIME-Version: 1.0\r\n"
        )
        return Mail(
            recipient=address.encode(),
            message=head.encode() + _body(letter),
            message_id=message_id,
            is_utf8=not address.isascii(),
        )


@lru_cache(maxsize=4)
def _date(second: int) -> str:
    """Write a moment. Thousands of mails share a second."""
    return formatdate(second)


def _reply_to(letter: Letter) -> str:
    said = letter.options.get("reply_to")
    return reply_to_header(said) if said else ""


def _body(letter: Letter) -> bytes:
    """Write the words, and behind them the files. What an event says in HTML goes before its template's."""
    if not letter.options and letter.html is None:
        return text_part("plain", letter.text)
    html = letter.options.get("html", letter.html)
    words = text_part("plain", letter.text)
    if html is not None:
        words = multipart("alternative", f"=_{letter.idempotency_key.hex}", [words, text_part("html", html)])
    files = [attachment_part(file) for file in read_attachments(letter.options)]
    # Neither boundary begins with the other: a parser may take the beginning of a line for the whole.
    return multipart("mixed", f"=_with_{letter.idempotency_key.hex}", [words, *files]) if files else words
