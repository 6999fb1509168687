"""Each promise about digests is broken once by hand, and noticed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from shared.saga import Saga
from shared.statuses import NotificationStatus
from tests.simulation import digests
from tests.simulation.digests import OF_DIGESTS
from tests.simulation.invariants import Invariant
from tests.simulation.record import Record
from tests.simulation.running import run_seed
from tests.simulation.test_invariants import KEY, NOON, record, saga, taken

N = NotificationStatus
DIGEST, OTHER = UUID(int=50), UUID(int=51)
SEEDS = 40


def one(key: UUID, status: NotificationStatus = N.SENT, **more: Any) -> Saga:
    return Saga(id=key, tenant="default", status=status, created_at=NOON, expires_at=NOON, **more)


def told(
    *messages: str, count: int | None = None, text: str = "- a\n", member: NotificationStatus = N.SENT, **more: Any
) -> Record:
    """Record a digest of one member that says "a"."""
    content = {"count": len(messages) if count is None else count, "events": [{"message": m} for m in messages]}
    found = record(**more)
    sagas = {DIGEST: one(DIGEST, is_digest=True), KEY: replace(saga(member), digest_id=DIGEST)}
    return replace(found, sagas=sagas, said={KEY: "a"}, digests={DIGEST: content}, texts={DIGEST: (text,)})


def twice() -> Record:
    found = told("a")
    return replace(found, digests={**found.digests, OTHER: found.digests[DIGEST]})


KEPT = told("a")
BROKEN: dict[str, tuple[Invariant, Record]] = {
    "a member that has not ended": (digests.a_member_stands_where_its_digest_stands, told("a", member=N.QUEUED)),
    "a member that failed alone": (digests.a_member_stands_where_its_digest_stands, told("a", member=N.FAILED)),
    "a member that is not in it": (digests.a_digest_holds_each_of_its_members_once, told()),
    "a member that is in it twice": (digests.a_digest_holds_each_of_its_members_once, told("a", "a")),
    "a stranger in it": (digests.a_digest_holds_each_of_its_members_once, told("a", "b")),
    "a wrong count": (digests.a_digest_holds_each_of_its_members_once, told("a", count=2)),
    "an event in two digests": (digests.an_event_is_in_one_message, twice()),
    "an event in a digest and alone": (digests.an_event_is_in_one_message, told("a", acceptances=[taken()])),
    "a message that says something else": (digests.a_digest_says_what_is_in_it, told("a", text="- b\n")),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_a_promise_is_noticed_and_what_keeps_it_is_not(case: str) -> None:
    invariant, broken = BROKEN[case]

    assert list(invariant(broken))
    assert list(invariant(KEPT)) == []


def test_every_promise_is_broken_once_by_hand() -> None:
    assert {invariant for invariant, _ in BROKEN.values()} == set(OF_DIGESTS)


@pytest.mark.slow
def test_digests_keep_every_promise_whatever_goes_wrong() -> None:
    seen: Counter[str] = Counter()

    for seed in range(10_000, 10_000 + SEEDS):
        verdict = run_seed(seed)
        seen += verdict.seen
        if verdict.broken:
            pytest.fail(verdict.tell(in_short=True), pytrace=False)

    ends = [f"a member of a digest became {status}" for status in (N.QUEUED, N.SENT, N.FAILED)]
    assert [name for name in ("a notification joined a digest", *ends) if seen[name] < 5] == []
