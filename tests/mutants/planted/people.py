"""Bugs in what people want, when they are left alone, how often they are disturbed, and how they are forgotten."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

CONTACTS = "tests/contract/test_store_contacts.py"
ERASURE = "tests/integration/test_erasure.py"
QUIET = "tests/integration/test_quiet_hours.py"
CLAIMS = "shared/store/claim_sql.py"

PLANTED = (
    Mutant(
        name="quiet-hours-forgotten-at-the-claim",
        breaks="Nothing is sent in quiet hours, whenever they were set.",
        file=CLAIMS,
        text="OR {_UNTIL} IS NULL AND {_HAS_PLACE})",
        instead="OR {_HAS_PLACE})",
        looks_at=(CONTACTS,),
    ),
    Mutant(
        name="takeover-in-quiet-hours",
        breaks="A claim that nobody came back from is not repeated in quiet hours.",
        file=CLAIMS,
        text="WHEN l.status = 'sending' AND q.until IS NOT NULL THEN 'shelved'",
        instead="WHEN false THEN 'shelved'",
        looks_at=(CONTACTS,),
    ),
    Mutant(
        name="critical-switched-off",
        breaks="What is critical comes whatever is said against it.",
        file=CLAIMS,
        text="CASE WHEN j.policy->'critical' ? j.category THEN true END,",
        instead="",
        looks_at=(CONTACTS,),
    ),
    Mutant(
        name="default-of-the-tenant-ignored",
        breaks="What the tenant has switched off by default is not sent.",
        file=CLAIMS,
        text="(j.policy #>> ARRAY['defaults', '*', j.channel])::bool,",
        instead="",
        looks_at=(CONTACTS,),
    ),
    Mutant(
        name="caps-without-turns",
        breaks="Of many at once as many are sent as a cap lets through.",
        file="shared/store/places.py",
        text="            taken[tenant, user_id].append((category, 0.0))\n",
        instead="            pass\n",
        looks_at=(CONTACTS,),
    ),
    Mutant(
        name="second-of-two-times-forgotten",
        breaks="Of a time that clocks show twice, quiet hours end with the second.",
        file="shared/quiet_hours.py",
        text="return max(first, second)",
        instead="return first",
        looks_at=(QUIET,),
    ),
    Mutant(
        name="no-second-pass",
        breaks="What a call under way had to say of an erased person is erased, too.",
        file="shared/store/erasures.py",
        text='        await connection.execute(statement, {"ids": [row[1] for row in rows]})\n',
        instead="        pass\n",
        looks_at=(ERASURE,),
    ),
    Mutant(
        name="suppression-forgotten-with-its-address",
        breaks="Who was suppressed stays so after an erasure.",
        file="shared/store/erasures.py",
        text="for statement in (HASH_SUPPRESSIONS, *FORGET_PERSON):",
        instead="for statement in FORGET_PERSON:",
        looks_at=(ERASURE,),
    ),
    Mutant(
        name="erased-is-still-sent",
        breaks="What is under way ends when its person is forgotten.",
        file="shared/saga/erasing.py",
        text="    saga = saga.without_pending(ERASED)\n",
        instead="",
        looks_at=(ERASURE,),
    ),
    Mutant(
        name="receipt-of-the-erased-kept-in-words",
        breaks="What is reported of an erased notification is kept without its words.",
        file="shared/store/receipts.py",
        text="CASE WHEN n.erased_at IS NULL THEN %b::text ELSE '' END",
        instead="%b::text",
        looks_at=(ERASURE,),
    ),
)
