"""Everything a mail server does to a mail, in one table, over real sockets: outcome, conversations, deadline.

`test_email_conversation.py` tells the longer stories; `tests/unit/test_smtp_answers.py` has every reply code.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from infrastructure.sandbox.moods import Outage
from shared.statuses import OutcomeKind
from tests.contract.mail_server import (
    ACCEPTED,
    AMBIGUOUS,
    EITHER_WAY,
    FAULT,
    NEITHER,
    PERMANENT,
    PIPELINED,
    SUPPRESS,
    THROTTLED,
    TRANSIENT,
    client,
    judged,
    letter,
    sandbox,
)

SHORT_SECONDS = 2.5
MARGIN_SECONDS = 1.0
LONG_TEXT = "a long line of text\n" * 600_000
FILE = {"filename": "a.txt", "content_type": "text/plain", "content": "SGk="}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is sent to which server, and what is to come of it; `in_doubt` where the text had left with its envelope."""

    name: str
    to: str = "ada@example.test"
    said: Mapping[str, Any] = field(default_factory=dict)
    moods: Mapping[str, Any] = field(default_factory=dict)
    url: str = "smtp://{place}"
    kind: OutcomeKind
    mark: str = NEITHER
    code: str = ""
    conversations: int = 1
    kept: int = 0
    deadline_seconds: float = 15
    in_doubt: bool = False
    next_is_taken: bool = False  # by the same server, from somebody else


def met(name: str, kind: OutcomeKind, code: str, mark: str = NEITHER, **more: Any) -> Row:
    """Write to a simulated recipient."""
    return Row(name=name, to=f"{name}@example.test", kind=kind, code=code, mark=mark, next_is_taken=True, **more)


TABLE = [
    Row(name="takes the mail", kind=ACCEPTED, code="smtp 250 2.0.0", kept=1),
    met("slow", ACCEPTED, "smtp 250 2.0.0", kept=1),
    met("fails-0", ACCEPTED, "smtp 250 2.0.0", kept=1),
    met("refused", PERMANENT, "smtp 550 5.1.1", SUPPRESS),
    met("full", PERMANENT, "smtp 552 5.2.2"),
    met("blocked", PERMANENT, "smtp 550 5.7.1"),
    met("spam", PERMANENT, "smtp 554 5.7.1"),
    met("tempfail", TRANSIENT, "smtp 451 4.3.0"),
    met("failtwice", TRANSIENT, "smtp 450 4.2.0"),
    met("fails-1", TRANSIENT, "smtp 450 4.2.0"),
    met("greylisted", THROTTLED, "smtp 451 4.7.1"),
    met("throttled", THROTTLED, "smtp 421 4.7.0"),
    met("reset", TRANSIENT, "smtp lost at", FAULT, in_doubt=True),
    met("garbage", AMBIGUOUS, "smtp garbled at final dot", FAULT),
    met("cut", AMBIGUOUS, "smtp lost at final dot", FAULT, kept=1),
    met("cut-always", AMBIGUOUS, "smtp lost at final dot", FAULT, kept=1),
    met("hang", AMBIGUOUS, "smtp timeout at final dot", FAULT, deadline_seconds=SHORT_SECONDS),
    Row(
        name="greets after the deadline",
        moods={"latency_seconds": 2 * SHORT_SECONDS},
        kind=TRANSIENT,
        mark=FAULT,
        code="smtp timeout at connect",
        deadline_seconds=SHORT_SECONDS,
    ),
    Row(
        name="cuts at the greeting",
        moods={"outage": Outage.RESET},
        kind=TRANSIENT,
        mark=FAULT,
        code="smtp lost at connect",
    ),
    Row(name="greets with a pause", moods={"outage": Outage.BANNER}, kind=THROTTLED, code="smtp 421 4.3.2"),
    Row(name="has had enough", moods={"mails_per_connection": 0}, kind=THROTTLED, code="smtp 421 4.7.0"),
    Row(name="fails by chance", moods={"error_rate": 1.0}, kind=TRANSIENT, code="smtp 451 4.3.2"),
    Row(
        name="wants a login",
        moods={"credentials": ("user", "right")},
        kind=TRANSIENT,
        mark=FAULT,
        code="smtp 530 5.7.0",
    ),
    Row(
        name="knows no such password",
        moods={"credentials": ("user", "right")},
        url="smtp://user:wrong@{place}",
        kind=TRANSIENT,
        mark=FAULT,
        code="smtp 535 5.7.8",
    ),
    Row(name="has no logins", url="smtp://u:p@{place}", kind=TRANSIENT, mark=FAULT, code="smtp not offered at login"),
    Row(name="speaks no TLS", url="smtps://{place}", kind=TRANSIENT, mark=FAULT, code="smtp "),
    Row(name="knows only HELO", moods={"not_offered": {"EHLO"}}, kind=ACCEPTED, code="smtp 250 2.0.0", kept=1),
    Row(name="finds it too big", said={"text": LONG_TEXT}, kind=PERMANENT, code="smtp 552 5.3.4"),
    Row(
        name="finds it too big and did not say so",
        said={"text": LONG_TEXT},
        moods={"not_offered": {"SIZE"}},
        kind=PERMANENT,
        code="smtp 552 5.3.4",
    ),
    Row(name="takes a name beyond ASCII", to="ädä@example.test", kind=ACCEPTED, code="smtp 250 2.0.0", kept=1),
    Row(
        name="takes no name beyond ASCII",
        to="ädä@example.test",
        moods={"not_offered": {"SMTPUTF8"}},
        kind=PERMANENT,
        code="smtp no smtputf8",
    ),
    Row(
        name="needs no extension for a domain beyond ASCII",
        to="ada@bücher.example",
        moods={"not_offered": {"SMTPUTF8"}},
        kind=ACCEPTED,
        code="smtp 250 2.0.0",
        kept=1,
    ),
    Row(
        name="takes HTML and files",
        said={"html": "<p>Hi</p>", "options": {"attachments": [FILE], "reply_to": "help@example.test"}},
        kind=ACCEPTED,
        code="smtp 250 2.0.0",
        kept=1,
    ),
    Row(name="is not asked: no address", to="ada", kind=PERMANENT, code="smtp address malformed", conversations=0),
    Row(
        name="is not asked: a command in the address",
        to="ada@example.test>\r\nRCPT TO:<eve@example.test",
        kind=PERMANENT,
        code="smtp address malformed",
        conversations=0,
    ),
    Row(
        name="is not asked: a header in the subject",
        said={"subject": "Hi\r\nBcc: eve@example.test"},
        kind=PERMANENT,
        code="smtp header refused",
        conversations=0,
    ),
    Row(
        name="is not asked: two addresses for answers",
        said={"options": {"reply_to": "a@example.test, eve@example.test"}},
        kind=PERMANENT,
        code="smtp header refused",
        conversations=0,
    ),
    Row(
        name="is not asked: a file of more than 5 MB",
        said={"options": {"attachments": [{**FILE, "content": "AAAA" * 1_666_667}]}},
        kind=PERMANENT,
        code="smtp attachment refused",
        conversations=0,
    ),
    Row(
        name="is not there",
        url="smtp://127.0.0.1:1",
        kind=TRANSIENT,
        mark=FAULT,
        code="smtp refused at connect",
        conversations=0,
    ),
    Row(
        name="has no address",
        url="smtp://no-such-host.invalid",
        kind=TRANSIENT,
        mark=FAULT,
        code="smtp unknown host at connect",
        conversations=0,
    ),
]


@EITHER_WAY
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
async def test_whatever_a_mail_server_does_has_one_outcome_within_the_deadline(row: Row, way: frozenset[str]) -> None:
    moods = {**row.moods, "not_offered": way.union(row.moods.get("not_offered", ()))}
    in_doubt = row.in_doubt and way == PIPELINED
    async with sandbox(**moods) as server:
        place = f"{server.host}:{server.port}"
        url = row.url.format(place=place)
        async with client(url, connections=1, deadline_seconds=row.deadline_seconds) as provider:
            began = time.monotonic()
            outcome = await provider.send(letter(row.to, **row.said))
            took = time.monotonic() - began
            conversations, kept = server.connections_opened, len(server.mailbox)
            afterwards = await provider.send(letter()) if row.next_is_taken else None

        assert judged(outcome) == (AMBIGUOUS if in_doubt else row.kind, row.mark)
        assert outcome.code.startswith(row.code)
        assert (outcome.provider, "@" in outcome.reason) == ("smtp", False)
        assert conversations == row.conversations
        assert kept == row.kept
        assert afterwards is None or judged(afterwards) == (ACCEPTED, NEITHER)
        assert took < row.deadline_seconds + MARGIN_SECONDS


def test_the_table_shows_every_class_of_outcome() -> None:
    assert {row.kind for row in TABLE} == set(OutcomeKind)
    assert len({row.name for row in TABLE}) == len(TABLE) >= 25
