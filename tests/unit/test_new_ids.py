"""Ids that begin with the time."""

from __future__ import annotations

import time
from uuid import RFC_4122

from shared.new_ids import new_id


def test_an_id_is_a_uuid_of_version_7() -> None:
    ids = [new_id() for _ in range(1000)]

    assert {(one.version, one.variant) for one in ids} == {(7, RFC_4122)}
    assert len(set(ids)) == 1000


def test_an_id_begins_with_the_milliseconds_of_its_making() -> None:
    before = time.time_ns() // 1_000_000
    made = new_id().int >> 80
    after = time.time_ns() // 1_000_000

    assert before <= made <= after


def test_what_follows_the_time_is_chance() -> None:
    rest = [new_id().int & ((1 << 62) - 1) for _ in range(200)]

    assert all(any(one >> bit & 1 for one in rest) and any(not one >> bit & 1 for one in rest) for bit in range(62))
