"""Bugs in what operators see and do."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

LETTERS = "tests/integration/test_letters_over_http.py"
DRY_RUNS = "tests/integration/test_dry_runs.py"
OVERVIEW = "tests/integration/test_overview_over_http.py"

PLANTED = (
    Mutant(
        name="dry-run-may-write",
        breaks="A dry run writes nothing.",
        file="shared/store/snapshots.py",
        text="REPEATABLE READ, READ ONLY",
        instead="REPEATABLE READ, READ WRITE",
        looks_at=(DRY_RUNS,),
    ),
    Mutant(
        name="dry-run-forgets-the-cap",
        breaks="A replay does what its dry run has said.",
        file="functions/console/foresight.py",
        text="if category not in policy.critical and policy.is_full(category, channel, taken):",
        instead="if False:",
        looks_at=(DRY_RUNS,),
    ),
    Mutant(
        name="discarded-twice",
        breaks="Of two operators each dead letter is settled by one.",
        file="shared/store/dead_letters.py",
        text="AND id = ANY(%b) AND status = 'open' ORDER BY id FOR UPDATE",
        instead="AND id = ANY(%b) ORDER BY id FOR UPDATE",
        looks_at=(LETTERS,),
    ),
    Mutant(
        name="letters-of-another-tenant-replayed",
        breaks="A tenant starts over its own dead letters alone.",
        file="shared/store/dead_letters.py",
        text="WHERE tenant = %b AND id = ANY(%b) AND status = 'open' AND notification_id IS NOT NULL",
        instead="WHERE tenant <> %b || '-' AND id = ANY(%b) AND status = 'open' AND notification_id IS NOT NULL",
        looks_at=(LETTERS,),
    ),
    Mutant(
        name="overview-of-everybody",
        breaks="An overview counts what is its own tenant's.",
        file="shared/store/overview.py",
        text="SELECT status FROM notifications WHERE tenant = %(tenant)s AND next_look_at IS NOT NULL",
        instead="SELECT status FROM notifications WHERE tenant <> '-' || %(tenant)s AND next_look_at IS NOT NULL",
        looks_at=(OVERVIEW,),
    ),
    Mutant(
        name="look-for-each-who-asks",
        breaks="However many ask how it is going, one look answers them.",
        file="functions/console/overview.py",
        text="if watched.looking is None or watched.looking.done():",
        instead="if True:",
        looks_at=("tests/unit/test_overview.py",),
    ),
)
