"""Until when an event is of use, and what it takes the place of: as clients say it in either form."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.unit.test_ingest_requests import plain, refusal, refusal_in_cloud, submitted, submitted_in_cloud

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)


def test_an_event_says_until_when_it_is_of_use_and_what_it_takes_the_place_of() -> None:
    submission = submitted(plain(expires_at=TOMORROW.isoformat(), collapse_key=7))

    assert (submission.expires_at, submission.collapse_key) == (TOMORROW, "7")


def test_a_cloud_event_says_the_same_in_its_extensions() -> None:
    elsewhere = TOMORROW.astimezone(timezone(timedelta(hours=2)))

    from_cloud = submitted_in_cloud(expirytime=elsewhere.isoformat(), collapsekey="position")
    from_plain = submitted(plain(id="e1", source="/shop", expires_at=TOMORROW.isoformat(), collapse_key="position"))

    assert from_cloud == from_plain


@pytest.mark.parametrize("value", ["tomorrow", 5, "2026-01-01T00:00:00Z", ""])
def test_a_wrong_or_past_expiry_is_refused_by_the_name_it_has_there(value: Any) -> None:
    refused = [refusal(plain(expires_at=value)), refusal_in_cloud(expirytime=value)]

    assert [(one.status, one.field) for one in refused] == [(422, "expires_at"), (422, "expirytime")]


@pytest.mark.parametrize("value", ["  ", "x" * 256])
def test_a_wrong_collapse_key_is_refused_by_the_name_it_has_there(value: str) -> None:
    refused = [refusal(plain(collapse_key=value)), refusal_in_cloud(collapsekey=value)]

    assert [(one.status, one.field) for one in refused] == [(422, "collapse_key"), (422, "collapsekey")]


@pytest.mark.parametrize("changed", [{"expires_at": TOMORROW.isoformat()}, {"collapse_key": "position"}])
def test_another_expiry_or_collapse_key_makes_another_event(changed: dict[str, Any]) -> None:
    hashes = {submitted(plain(**more)).body_hash for more in ({}, changed)}

    assert len(hashes) == 2


def test_an_event_without_them_keeps_the_hash_that_it_had_before_there_were_these() -> None:
    before = hashlib.sha256(b'["order_created","1",{"message":"Hi"}]').digest()

    assert submitted(plain()).body_hash == before
