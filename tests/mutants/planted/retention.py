"""Bugs in what is deleted when it was kept long enough, and what must stay."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

RETENTION = "tests/integration/test_retention.py"
COPIES = "tests/integration/test_retention_copies.py"
ROUNDS = "tests/integration/test_retention_rounds.py"
STATEMENTS = "shared/store/retention_sql.py"

PLANTED = (
    Mutant(
        name="retention-of-what-is-owed",
        breaks="What has not ended, or is owed something still, is never deleted.",
        file=STATEMENTS,
        text="AND next_look_at IS NULL AND updated_at < %b",
        instead="AND updated_at < %b",
        looks_at=(RETENTION,),
    ),
    Mutant(
        name="retention-counted-from-the-beginning",
        breaks="What has ended is kept as many days as the setting says, from its end on.",
        file=STATEMENTS,
        text="AND next_look_at IS NULL AND updated_at < %b",
        instead="AND next_look_at IS NULL AND created_at < %b",
        looks_at=(RETENTION,),
    ),
    Mutant(
        name="retention-of-open-dead-letters",
        breaks="What waits for a person is kept until it is settled.",
        file=STATEMENTS,
        text="WHERE l.notification_id IN (n.id, n.digest_id) AND l.status = 'open')",
        instead="WHERE l.notification_id IN (n.id, n.digest_id) AND l.status = 'replayed')",
        looks_at=(RETENTION,),
    ),
    Mutant(
        name="digest-deleted-before-its-members",
        breaks="A digest stays as long as it has members.",
        file=STATEMENTS,
        text="AND NOT (n.is_digest AND EXISTS",
        instead="AND NOT (false AND EXISTS",
        looks_at=(RETENTION,),
    ),
    Mutant(
        name="digest-opened-once-and-never-again",
        breaks="An event that was deleted and is posted again can open a digest, though its former one is still there.",
        file="shared/store/digests.py",
        text="THEN gen_random_uuid() ELSE n.id END",
        instead="THEN n.id ELSE n.id END",
        looks_at=(COPIES,),
    ),
    Mutant(
        name="replacement-deleted-before-what-it-replaced",
        breaks="What a newer notification has replaced is never sent, however long it waits.",
        file=STATEMENTS,
        text="AND NOT (n.collapse_key IS NOT NULL AND EXISTS",
        instead="AND NOT (false AND EXISTS",
        looks_at=(RETENTION,),
    ),
    Mutant(
        name="event-for-many-outlives-its-notifications",
        breaks="A copy of a message about many users makes nothing anew that was deleted.",
        file=STATEMENTS,
        text='"t.completed_at IS NOT NULL AND t.created_at < %(before)b',
        instead='"t.completed_at IS NULL AND t.created_at < %(before)b',
        looks_at=(COPIES,),
    ),
    Mutant(
        name="retention-around-the-clock",
        breaks="What must stay is looked at once an hour, not in each tick.",
        file="shared/store/retention.py",
        text="now < known.began_at + ROUND_EVERY",
        instead="now < known.began_at",
        looks_at=(ROUNDS,),
    ),
    Mutant(
        name="more-days-unheard",
        breaks="Who lets more days be kept is heard at once.",
        file="shared/store/retention.py",
        text="ends_before=min(known.ends_before, ends_before)",
        instead="ends_before=known.ends_before",
        looks_at=(ROUNDS,),
    ),
    Mutant(
        name="retention-without-bounds",
        breaks="A tick deletes a bounded part, and the next one goes on.",
        file="functions/sweep/retaining.py",
        text="if left <= 0 or not progress.may_go_on:",
        instead="if not progress.may_go_on:",
        looks_at=(ROUNDS,),
    ),
    Mutant(
        name="retention-shorter-than-copies-live",
        breaks="What has ended is not deleted while copies of its event may still come.",
        file="shared/settings.py",
        text="if 0 < value < LEAST_RETENTION_DAYS:",
        instead="if value < 0:",
        looks_at=("tests/unit/test_settings.py",),
    ),
)
