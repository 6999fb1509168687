"""Bugs at the door: what is accepted, for whom, and what is said and written about it."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

PLANTED = (
    Mutant(
        name="202-before-it-is-kept",
        breaks="202 means kept.",
        file="functions/ingest/accepting.py",
        text="answer = self._judge(row, await self._keeping.submit(row))",
        instead='answer: Accepted | Refused = (self._keeping.enqueue([row]), Accepted(row.id, "pending"))[1]',
        looks_at=("tests/integration/test_intake_store.py", "tests/integration/test_clients_over_http.py"),
    ),
    Mutant(
        name="202-of-a-batch-before-it-is-kept",
        breaks="202 means kept, for each event of a batch too.",
        file="functions/ingest/accepting.py",
        text="kept = await self._keeping.submit_all(list(rows.values()))",
        instead='kept = [(self._keeping.enqueue([row]), (Kept.NEW, "pending"))[1] for row in rows.values()]',
        looks_at=("tests/integration/test_intake_store.py", "tests/integration/test_clients_over_http.py"),
    ),
    Mutant(
        name="copy-not-announced",
        breaks="A client that asks again is heard: its event is announced again while nobody has begun with it.",
        file="functions/ingest/accepting.py",
        text='return kept is not Kept.CONFLICT and status == "pending"',
        instead='return kept is Kept.NEW and status == "pending"',
        looks_at=("tests/integration/test_saga_under_failure.py::test_who_asks_again_is_heard_while_nobody_has_begun",),
    ),
    Mutant(
        name="key-without-its-tenant",
        breaks="One tenant's key says nothing about another tenant's.",
        file="shared/ids.py",
        text='("notification", tenant, source, key, user_id)',
        instead='("notification", source, key, user_id)',
        looks_at=("tests/unit/test_ids.py",),
    ),
    Mutant(
        name="key-with-another-body",
        breaks="The same key with another body is a conflict, and changes nothing.",
        file="shared/store/intake.py",
        text="if bytes(body_hash) != asked.body_hash:",
        instead="if False:",
        looks_at=("tests/contract/test_store_intake.py",),
    ),
    Mutant(
        name="backlog-without-end",
        breaks="What waits has a bound: beyond it the intake says 503.",
        file="functions/ingest/accepting.py",
        text="if self._waiting() >= self._limit:",
        instead="if False:",
        looks_at=("tests/integration/test_intake_store.py", "tests/integration/test_clients_over_http.py"),
    ),
    Mutant(
        name="requests-without-end",
        breaks="Only so many requests wait for the database: beyond them the intake says 503 at once.",
        file="functions/ingest/accepting.py",
        text="if len(self._keeping) >= MOST_WAITING:",
        instead="if False:",
        looks_at=("tests/integration/test_overload.py",),
    ),
    Mutant(
        name="another-tenant-looks-in",
        breaks="Every row and every query has a tenant.",
        file="shared/store/views.py",
        text='FROM notifications WHERE tenant = %s AND id = %s\n"""',
        instead='FROM notifications WHERE %s::text IS NOT NULL AND id = %s\n"""',
        looks_at=("tests/integration/test_views.py", "tests/integration/test_clients_over_http.py"),
    ),
    Mutant(
        name="log-line-with-anything",
        breaks="A log line carries ids, never an address, a token or a body.",
        file="shared/logs.py",
        text="if key in _ALLOWED and value is not None}",
        instead="if value is not None}",
        looks_at=("tests/unit/test_logs.py",),
    ),
    Mutant(
        name="log-line-with-the-text-of-a-failure",
        breaks="A log line tells type and place of a failure, never its text, which may hold people's data.",
        file="shared/logs.py",
        text='line["error"] = record.exc_info[0].__name__',
        instead='line["error"] = repr(record.exc_info[1])',
        looks_at=("tests/unit/test_logs.py",),
    ),
    Mutant(
        name="password-in-a-repr",
        breaks="A secret is not shown by whatever prints the record that it stands in.",
        file="functions/deliver_email/relay.py",
        text="password: str | None = field(default=None, repr=False)",
        instead="password: str | None = field(default=None)",
        looks_at=("tests/unit/test_smtp_answers.py",),
    ),
    Mutant(
        name="address-in-a-repr",
        breaks="An address is not shown by whatever prints the letter that it stands on.",
        file="shared/outcomes.py",
        text="address: str = field(repr=False)",
        instead="address: str",
        looks_at=("tests/unit/test_outcomes.py",),
    ),
)
