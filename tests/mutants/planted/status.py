"""Bugs in calling back, in lists and in explanations."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

OVER_HTTP = "tests/integration/test_cancelling_over_http.py"
SAGA = "tests/unit/test_saga_cancelling.py"
CLAIMS = "tests/contract/test_store_cancelling.py"
LISTS = "tests/integration/test_listing_over_http.py"
EXPLAINED = "tests/unit/test_explaining.py"

PLANTED = (
    Mutant(
        name="cancelled-is-claimed",
        breaks="What was called back is not claimed, though its delivery was given back.",
        file="shared/store/claim_sql.py",
        text="AND n.status = 'queued' AND n.cancelled_by IS NULL AND",
        instead="AND n.status = 'queued' AND",
        looks_at=(CLAIMS,),
    ),
    Mutant(
        name="cancelled-is-taken-over",
        breaks="A lost lease of what was called back is not taken over for another call.",
        file="shared/store/claim_sql.py",
        text="= 'hold' OR n.cancelled_by IS NOT NULL\n",
        instead="= 'hold'\n",
        looks_at=(CLAIMS,),
    ),
    Mutant(
        name="given-back-and-never-ended",
        breaks="What was given back after a cancellation is looked at, and ends.",
        file="shared/store/claim_sql.py",
        text="WHEN n.expires_at <= clock_timestamp() OR n.cancelled_by IS NOT NULL THEN 'expired'",
        instead="WHEN n.expires_at <= clock_timestamp() THEN 'expired'",
        looks_at=(CLAIMS,),
    ),
    Mutant(
        name="cancelled-is-tried-again",
        breaks="What was called back is not tried again.",
        file="shared/saga/attempts.py",
        text="    if saga.cancelled_by is not None:\n        return on_attempt_of_cancelled(saga, delivery, event)\n",
        instead="",
        looks_at=(SAGA,),
    ),
    Mutant(
        name="cancelled-goes-to-the-next-channel",
        breaks="What was called back asks no other channel.",
        file="shared/saga/moves.py",
        text="    if saga.cancelled_by is not None:\n        return call_back(saga, entries)\n    rest = unused(saga)",
        instead="    rest = unused(saga)",
        looks_at=(SAGA,),
    ),
    Mutant(
        name="cancelled-in-the-middle-of-a-call",
        breaks="A call under way when it is called back is waited for.",
        file="shared/saga/moves.py",
        text="if any(delivery.status is D.SENDING for delivery in saga.current()) or saga.status is N.COMPENSATING:",
        instead="if saga.status is N.COMPENSATING:",
        looks_at=(SAGA,),
    ),
    Mutant(
        name="cancelled-and-sent-all-the-same",
        breaks="What was sent while it was called back is compensated.",
        file="shared/saga/attempts.py",
        text="    if saga.cancelled_by is not None:\n        return call_back(saga, (entry,))\n",
        instead="",
        looks_at=(SAGA,),
    ),
    Mutant(
        name="cancelled-fails",
        breaks="What was called back ends cancelled, not failed.",
        file="shared/saga/deciding.py",
        text="        end = (N.CANCELLED, What.CANCELLED, saga.wish())",
        instead="        pass",
        looks_at=(SAGA,),
    ),
    Mutant(
        name="cancelled-is-a-dead-letter",
        breaks="A cancelled notification leaves no dead letter.",
        file="functions/compensate/compensating.py",
        text="    failures = [change.after for change in ended if change.after.status is NotificationStatus.FAILED]",
        instead="    failures = [change.after for change in ended]",
        looks_at=(OVER_HTTP,),
    ),
    Mutant(
        name="another-tenant-cancels",
        breaks="Nobody calls back another tenant's notification.",
        file="functions/ingest/cancelling.py",
        text="if await resources.store.views.status(tenant, key) is None:",
        instead="if await resources.store.views.status('default', key) is None:",
        looks_at=(OVER_HTTP,),
    ),
    Mutant(
        name="compensation-not-announced",
        breaks="The compensation that a cancellation owes is published at once.",
        file="functions/ingest/cancelling.py",
        text="    if outgoing:\n",
        instead="    if False:\n",
        looks_at=(OVER_HTTP,),
    ),
    Mutant(
        name="page-forgets-the-same-moment",
        breaks="What was accepted at one moment stands on one page or the next, and nothing is left out.",
        file="shared/store/listing.py",
        text='"(n.created_at, n.id) < (%(place_time)s, %(place_id)s)"',
        instead='"n.created_at < %(place_time)s AND %(place_id)s IS NOT NULL"',
        looks_at=(LISTS,),
    ),
    Mutant(
        name="page-without-a-bound",
        breaks="A page looks at a bounded number of rows.",
        file="shared/store/listing.py",
        text='return _write(_PAGE, asked, after, "LIMIT %(most)s")',
        instead='return _write(_PAGE, asked, after, "")',
        looks_at=(LISTS,),
    ),
    Mutant(
        name="list-of-another-tenant",
        breaks="A list shows a tenant's own notifications.",
        file="shared/store/listing.py",
        text="FROM notifications n WHERE n.tenant = %(tenant)s",
        instead="FROM notifications n WHERE %(tenant)s IS NOT NULL",
        looks_at=(LISTS,),
    ),
    Mutant(
        name="whose-rule-not-told",
        breaks="It is remembered whose rule a notification followed.",
        file="shared/folding.py",
        text="plan = plan.but(workflow=known.workflow_of)",
        instead="pass",
        looks_at=("tests/integration/test_explaining_over_http.py",),
    ),
    Mutant(
        name="obstacle-not-told",
        breaks="An obstacle that no check knows is told all the same.",
        file="functions/ingest/rules_of_routing.py",
        text='return found if obstacle is None else {"obstacle": obstacle}',
        instead="return found",
        looks_at=(EXPLAINED,),
    ),
)
