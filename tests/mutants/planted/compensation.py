"""Bugs in what is taken back, in the inbox, and in what an HTTP call's silence means."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

COMPENSATION = "tests/contract/test_compensation.py"
INBOX = "tests/contract/test_inbox_answers.py"
SOCKETS = "tests/contract/test_socket_answers.py"
STORE_INBOX = "tests/contract/test_store_inbox.py"
HTTP = "tests/contract/test_http_call.py"

PLANTED = (
    Mutant(
        name="asks-without-end",
        breaks="A message that cannot be taken back is told as such, after a bounded number of tries.",
        file="functions/compensate/undoing.py",
        text="if outcome.kind in PASSING and asked.tries >= MOST_TRIES:",
        instead="if False:",
        looks_at=(COMPENSATION,),
    ),
    Mutant(
        name="gives-up-at-once",
        breaks="A provider that is away when something is to be taken back is asked again.",
        file="functions/compensate/undoing.py",
        text="    if outcome.kind not in PASSING:\n        return None",
        instead="    return None",
        looks_at=(COMPENSATION,),
    ),
    Mutant(
        name="deleted-beside-another",
        breaks="Nothing is told as taken back of which another copy may be there.",
        file="functions/compensate/undoing.py",
        text="if asked.is_in_doubt and outcome.kind is OutcomeKind.ACCEPTED:",
        instead="if False:",
        looks_at=(COMPENSATION,),
    ),
    Mutant(
        name="correction-for-what-was-taken-back",
        breaks="A correction follows only what is still there.",
        file="functions/compensate/undoing.py",
        text="if delivery.status in REACHED and UNDOING[delivery.channel].takes_corrections",
        instead="if UNDOING[delivery.channel].takes_corrections",
        looks_at=(COMPENSATION,),
    ),
    Mutant(
        name="no-correction",
        breaks="Where nothing can be taken back, the workflow's correction follows.",
        file="functions/compensate/compensating.py",
        text="await sagas.correct([correction for change in ended for correction in corrections(change.after)])",
        instead="await sagas.correct([])",
        looks_at=(COMPENSATION,),
    ),
    Mutant(
        name="inbox-in-doubt",
        breaks="Nothing about our own inbox is ever ambiguous.",
        file="functions/push_ws/inbox_provider.py",
        text="except (Transient, TimeoutError):",
        instead="except ZeroDivisionError:",
        looks_at=(INBOX,),
    ),
    Mutant(
        name="hint-or-nothing",
        breaks="A hint may be lost: every socket looks without one.",
        file="functions/realtime/following.py",
        text="audience.hint(tenant, user_id)",
        instead="pass",
        looks_at=(SOCKETS,),
    ),
    Mutant(
        name="slow-reader-for-ever",
        breaks="Who reads too slowly is sent away, and holds nothing.",
        file="functions/realtime/sockets.py",
        text="async with asyncio.timeout(self._send_seconds):\n            await socket.send_text",
        instead="async with asyncio.timeout(None):\n            await socket.send_text",
        looks_at=(SOCKETS,),
    ),
    Mutant(
        name="mark-untold",
        breaks="What is marked on one screen is told on every other one.",
        file="shared/store/inbox_sql.py",
        text="UPDATE inbox i SET {sets}, change = n.change FROM numbered n",
        instead="UPDATE inbox i SET {sets}, change = NULL FROM numbered n",
        looks_at=(STORE_INBOX,),
    ),
    Mutant(
        name="read-unknown-to-the-saga",
        breaks="What a person has read is a receipt of its delivery.",
        file="shared/inbox/marking.py",
        text="if mark is Mark.READ:",
        instead="if mark is Mark.ARCHIVE:",
        looks_at=("tests/contract/test_socket_marks.py",),
    ),
    Mutant(
        name="begun-after-the-deadline",
        breaks="A request that a stopped process comes back to is not begun.",
        file="shared/http_call.py",
        text="    if not progress.may_begin():",
        instead="    if False:",
        looks_at=("tests/contract/test_push_silence.py",),
    ),
    Mutant(
        name="silence-is-safe",
        breaks="What may have left is ambiguous.",
        file="shared/http_call.py",
        text="Phase.SENT: (OutcomeKind.AMBIGUOUS, True),",
        instead="Phase.SENT: (OutcomeKind.TRANSIENT, True),",
        looks_at=(HTTP,),
    ),
)
