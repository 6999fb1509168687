"""Bugs in what can be posted beside one event for one user: to many, at a time, to an address, with wishes and keys."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FAN_OUTS = ("tests/contract/test_store_fan_outs.py", "tests/integration/test_fan_out.py")
KEYS = ("tests/unit/test_submissions.py", "tests/integration/test_keys_over_http.py")
KEPT = ("tests/contract/test_store_intake.py",)

PLANTED = (
    Mutant(
        name="copy-moves-an-event-for-many",
        breaks="A copy of a request for the next users makes nothing and passes over nobody.",
        file="shared/store/fan_outs.py",
        text="if position == expanded:",
        instead="if True:",
        looks_at=FAN_OUTS,
    ),
    Mutant(
        name="copy-of-a-set-not-announced",
        breaks="A set whose messages the broker refused is announced when its request comes again.",
        file="shared/store/fan_outs.py",
        text="if not rows or position > rows[0][3] or not rows[0][5]:",
        instead="if not rows or position != rows[0][3] or not rows[0][5]:",
        looks_at=FAN_OUTS,
    ),
    Mutant(
        name="rest-of-the-users-not-asked-for",
        breaks="An event for many is expanded to the end even if every message is lost.",
        file="functions/sweep/looking.py",
        text="stalled = await resources.store.fan_outs.due(MOST_FAN_OUTS)",
        instead="stalled = (await resources.store.fan_outs.due(MOST_FAN_OUTS))[:0]",
        looks_at=FAN_OUTS,
    ),
    Mutant(
        name="progress-apart-from-its-rows",
        breaks="A set's notifications and the progress of their event are one transaction.",
        file="shared/store/fan_outs.py",
        text="async with self._database.transaction() as connection:",
        instead="async with self._database.connection() as connection:",
        looks_at=FAN_OUTS,
    ),
    Mutant(
        name="key-for-each-user",
        breaks="The key of a request is used once: the same key for another user is refused.",
        file="shared/submissions.py",
        text='person = "" if self.is_key_of_request else self.user_id',
        instead="person = self.user_id",
        looks_at=KEYS,
    ),
    Mutant(
        name="wishes-outside-the-digest",
        breaks="The same key with other wishes is another body.",
        file="shared/submissions.py",
        text="parts.append(more)",
        instead="parts.append({})",
        looks_at=KEYS,
    ),
    Mutant(
        name="sent-before-its-time",
        breaks="What is posted for later is sent then, and not before.",
        file="shared/store/intake.py",
        text="CASE WHEN n.send_at > clock_timestamp() THEN 'scheduled' ELSE 'pending' END",
        instead="CASE WHEN n.send_at > clock_timestamp() THEN 'pending' ELSE 'pending' END",
        looks_at=KEPT,
    ),
    Mutant(
        name="life-begins-with-the-post",
        breaks="The life of what is posted for later begins when it is due.",
        file="shared/saga/deciding.py",
        text="begins_at = max(saga.created_at, saga.send_at or saga.created_at)",
        instead="begins_at = saga.created_at",
        looks_at=("tests/integration/test_scheduled.py",),
    ),
    Mutant(
        name="named-channel-falls-back",
        breaks="What is asked for one channel goes out on that one and on no other.",
        file="shared/folding.py",
        text="wanted=(wishes.channel,), preferred=None",
        instead="wanted=(wishes.channel, *routed.wanted), preferred=None",
        looks_at=("tests/unit/test_posted.py",),
    ),
    Mutant(
        name="account-overwritten-by-an-address",
        breaks="A user who is there is not made anew by a request that names an address.",
        file="shared/store/recipients.py",
        text="ON CONFLICT (tenant, id) DO NOTHING",
        instead="ON CONFLICT (tenant, id) DO UPDATE SET email = EXCLUDED.email",
        looks_at=KEPT,
    ),
    Mutant(
        name="low-priority-taken-as-any",
        breaks="While much waits, what has a low priority is asked to come later.",
        file="functions/ingest/accepting.py",
        text="self._waiting() * 2 < self._limit",
        instead="self._waiting() < self._limit",
        looks_at=("tests/integration/test_wishes.py",),
    ),
)
