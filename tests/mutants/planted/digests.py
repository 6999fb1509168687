"""Bugs in digests: events that are told twice, or never."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

SAGAS = "tests/unit/test_digests.py"
STORE = "tests/contract/test_store_digests.py"
WHOLE = "tests/integration/test_digests.py"
STATUSES = "tests/unit/test_statuses.py"

PLANTED = (
    Mutant(
        name="member-let-go-by-its-own-time",
        breaks="A member of a digest waits for its digest.",
        file="shared/saga/deciding.py",
        text="    if saga.digest_id is not None:\n        return digests.on_look_at_member(saga, event, now)\n",
        instead="",
        looks_at=(SAGAS,),
    ),
    Mutant(
        name="member-in-a-message-moved-by-others",
        breaks="What is in a message on its way is moved by nothing but its digest.",
        file="shared/saga/digests.py",
        text="return saga.digest_id is not None and saga.status is not N.SCHEDULED",
        instead="return False",
        looks_at=(SAGAS,),
    ),
    Mutant(
        name="digest-let-go-by-time-alone",
        breaks="A digest goes when its members are gathered, not before.",
        file="shared/saga/deciding.py",
        text="saga.status is N.SCHEDULED and not saga.is_digest and",
        instead="saga.status is N.SCHEDULED and",
        looks_at=(SAGAS,),
    ),
    Mutant(
        name="drop-out-still-a-member",
        breaks="What has dropped out of a digest does not end with it.",
        file="shared/store/digests.py",
        text="    if out:\n",
        instead="    if False:\n",
        looks_at=(STORE, WHOLE),
    ),
    Mutant(
        name="closed-window-joined",
        breaks="Nobody joins a window that has closed.",
        file="shared/store/digests.py",
        text="SET phase = CASE d.phase WHEN 'collecting' THEN 'gathering' ELSE d.phase END",
        instead="SET phase = d.phase",
        looks_at=(STORE, WHOLE),
    ),
    Mutant(
        name="members-never-told",
        breaks="Members end as their digest ends.",
        file="shared/store/digests.py",
        text="    if ended:\n",
        instead="    if False:\n",
        looks_at=(STORE, WHOLE),
    ),
    Mutant(
        name="end-of-a-digest-overlooked",
        breaks="A digest that ends while somebody is at it is looked at once more.",
        file="shared/store/digests.py",
        text="WHERE d.id = s.id AND d.next_look_at = s.looked_at",
        instead="WHERE d.id = s.id",
        looks_at=(STORE,),
    ),
    Mutant(
        name="dropped-out-counted",
        breaks="Only what is gathered is counted.",
        file="shared/store/digests.py",
        text="(SELECT count(*)::int FROM notifications m WHERE m.digest_id = d.id AND m.status = 'queued')",
        instead="(SELECT count(*)::int FROM notifications m WHERE m.digest_id = d.id)",
        looks_at=(STORE,),
    ),
    Mutant(
        name="large-digest-gathered-in-part",
        breaks="A digest goes when all of its members are gathered.",
        file="functions/sweep/digesting.py",
        text="        if len(ids) < LARGEST_SET:\n            return True\n",
        instead="        return True\n",
        looks_at=(WHOLE,),
    ),
    Mutant(
        name="digest-collected-again",
        breaks="A digest is sent, and not collected into another one.",
        file="shared/folding.py",
        text="if digest is None or saga.is_digest or is_late:",
        instead="if digest is None or is_late:",
        looks_at=(WHOLE,),
    ),
)
