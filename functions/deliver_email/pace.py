"""How much is said to a server before it has answered: learned from how fast it answers."""

from __future__ import annotations

FIRST, MOST = 8, 32
SHORT_SECONDS, LONG_SECONDS = 0.05, 0.1


class Pace:
    """How many mails go in one write.

    They double while a write is answered within 50 ms and halve when that takes more than 100 ms, so that no more is in
    flight on a connection than its server answers in about 100 ms: what a cut leaves in doubt is bounded by it, and a
    slow server is spoken to over many connections, a fast one over few. After a cut they begin with one again.
    """

    def __init__(self) -> None:
        self._mails = FIRST
        self.is_lock_step = False  # the server takes one mail at a time

    @property
    def mails(self) -> int:
        """How many mails the next write may hold."""
        return 1 if self.is_lock_step else self._mails

    def break_off(self) -> None:
        """Note that a write broke off: whatever cut it may cut the next, so that one holds a single mail."""
        self._mails = 1

    def note(self, mails: int, seconds: float, busy_seconds: float = 0.0) -> None:
        """Note how long a write of so many mails took, and for how much of that this process was busy itself.

        That part is not the server's: a process that has more to do than it can would take every server for slow, write
        less at once, and have more to do.
        """
        seconds -= busy_seconds
        if seconds > LONG_SECONDS:
            self._mails = max(1, min(self._mails, mails // 2))  # writes side by side halve once, not each
        elif seconds < SHORT_SECONDS and mails >= self._mails:
            self._mails = min(MOST, 2 * mails)
