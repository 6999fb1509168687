"""Bugs in the conversation with a mail server: what is told of each mail."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ANSWERS = "tests/unit/test_smtp_answers.py"
CHUNK = "tests/unit/test_smtp_chunk.py"
PIPELINE = "tests/contract/test_email_pipeline.py"
CONVERSATION = "tests/contract/test_email_conversation.py"

PLANTED = (
    Mutant(
        name="what-had-left-told-as-a-failure",
        breaks="A mail that had left and was not answered is ambiguous: the server may have it.",
        file="functions/deliver_email/answers.py",
        text='        kind=OutcomeKind.AMBIGUOUS,\n        reason="the mail had left',
        instead='        kind=OutcomeKind.TRANSIENT,\n        reason="the mail had left',
        looks_at=(ANSWERS,),
    ),
    Mutant(
        name="cut-write-told-as-a-failure",
        breaks="Of several mails in one write, those that had left are in doubt after a cut.",
        file="functions/deliver_email/chunk.py",
        text="            return judge_silence(Phase.FINAL_DOT, failure)\n",
        instead="            return judge_silence(Phase.DATA, failure)\n",
        looks_at=(CHUNK,),
    ),
    Mutant(
        name="what-was-kept-told-as-left",
        breaks="A mail whose last byte never left this machine is not in doubt.",
        file="functions/deliver_email/chunk.py",
        text="left = self.exchange.given_bytes - self.exchange.kept_bytes",
        instead="left = self.exchange.given_bytes",
        looks_at=(CHUNK,),
    ),
    Mutant(
        name="reply-read-as-the-next-mails",
        breaks="A reply is about the mail that it answers.",
        file="functions/deliver_email/chunk.py",
        text="first = self._heard + self._resets[place]",
        instead="first = self._heard",
        looks_at=(CHUNK,),
    ),
    Mutant(
        name="no-reset-between-mails",
        breaks="After a refusal nobody gets the mail of somebody else.",
        file="functions/deliver_email/chunk.py",
        text='b"RSET\\r\\n" if reset else b"",',
        instead='b"NOOP\\r\\n" if reset else b"",',
        looks_at=(PIPELINE, CHUNK),
    ),
    Mutant(
        name="answer-to-what-was-not-said-believed",
        breaks="An answer to what was not said is not believed.",
        file="functions/deliver_email/chunk.py",
        text="if is_taken or (said and self._begins(place) >= given):",
        instead="if is_taken:",
        looks_at=(CHUNK,),
    ),
    Mutant(
        name="half-a-conversation-kept",
        breaks="A connection that was left in the middle of a conversation is cut.",
        file="functions/deliver_email/connections.py",
        text="        if connection.is_under_way:\n",
        instead="        if False:\n",
        looks_at=("tests/contract/test_email_connections.py", "tests/contract/test_email_sets.py"),
    ),
    Mutant(
        name="greylisting-told-as-a-failure",
        breaks="Throttled is not failed: greylisting waits as it is told.",
        file="functions/deliver_email/answers.py",
        text=r'_row(ANY, r"4\d\d 4\.7\.\d+", GREYLISTED),',
        instead=r'_row(ANY, r"4\d\d 4\.7\.\d+", SERVER_TROUBLE),',
        looks_at=(ANSWERS,),
    ),
    Mutant(
        name="server-without-a-login-blames-the-recipient",
        breaks="Our own wrong password suppresses nobody's address and is no refusal for good.",
        file="functions/deliver_email/answers.py",
        text='    _row(frozenset({Phase.LOGIN}), r".*", NOT_LOGGED_IN),',
        instead="",
        looks_at=(ANSWERS, "tests/contract/test_email_login.py"),
    ),
    Mutant(
        name="command-in-an-address",
        breaks="What would smuggle a command into the conversation is never sent.",
        file="shared/addresses.py",
        text="if not _ADDRESS.fullmatch(address):",
        instead="if not _ADDRESS.match(address):",
        looks_at=("tests/unit/test_addresses.py", CONVERSATION),
    ),
    Mutant(
        name="another-key-for-every-attempt",
        breaks="Every attempt of one delivery shows its provider the same key.",
        file="shared/step/trying.py",
        text="idempotency_key=delivery_key(command.notification_id, self.attempt.channel.value, command.epoch),",
        instead="idempotency_key=self.token,",
        looks_at=("tests/integration/test_saga_end_to_end.py",),
    ),
    Mutant(
        name="silent-adapter-told-as-a-failure",
        breaks="An adapter that breaks leaves an ambiguous attempt: nobody knows how far it came.",
        file="shared/step/calling.py",
        text="return Outcome(kind=OutcomeKind.AMBIGUOUS, code=code",
        instead="return Outcome(kind=OutcomeKind.TRANSIENT, code=code",
        looks_at=("tests/integration/test_saga_end_to_end.py",),
    ),
)
