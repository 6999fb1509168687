"""What makes an event the same event, and what stays of it while it waits to be expanded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.ingest.requests import plain_event
from shared.saga import OnAmbiguous
from shared.statuses import Channel
from shared.submissions import rows_for, write_event
from shared.wishes import NO_WISHES, Priority, Wishes

QUICK = settings(max_examples=60, deadline=None)
NEW_YEAR = "2099-01-01T00:00:00Z"
NUMBERS = {"message": "Hé", "n": [1, 2.5, None, 1e20], "preferred_channel": "sms"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text("abc", max_size=3), children, max_size=3),
    max_leaves=8,
)  # fmt: skip


def event(**changed: Any) -> dict[str, Any]:
    return {"event_type": "order_created", "user_id": 1, "data": {"message": "Hi"}, **changed}


@pytest.mark.parametrize(
    ("changed", "digest"),
    [
        ({}, "82fb968ac6a83023ca450f5b17b9d5a94864a420d54a352436c679645b650156"),
        ({"expires_at": NEW_YEAR}, "f881a9b12ad3ca0690d4402542df5d548d3428397cfc7b2f3290dc516d613df6"),
        ({"collapse_key": "cart"}, "d6318cd35dcfaf5d8966f5f78aaef8a0bde488b986e7ad94ab09cfa22fc36b66"),
        (
            {"expires_at": NEW_YEAR, "collapse_key": 7, "data": NUMBERS},
            "6464301540eeadfb31771ec221aa6fd4d4b7cf6a9fb26a69c4a20c0c10d59842",
        ),
    ],
)
def test_what_was_accepted_by_an_earlier_version_has_the_digest_that_it_had(
    changed: dict[str, Any], digest: str
) -> None:
    assert plain_event(event(**changed), {}).body_hash.hex() == digest


def test_each_wish_makes_another_event_and_the_usual_ones_do_not() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"send_at": "2026-12-01T00:00:00Z"},
        {"send_at": "2026-12-02T00:00:00Z"},
        {"on_ambiguous": "hold"},
        {"on_ambiguous": "resend"},
        {"priority": "high"},
        {"priority": "low"},
        {"collapse_key": "a"},
        {"collapse_key": "a", "priority": "low"},
    ]

    digests = {plain_event(event(**change), {}).body_hash for change in changes}

    assert len(digests) == len(changes)
    assert plain_event(event(priority="normal"), {}).body_hash == plain_event(event(), {}).body_hash


@QUICK
@given(JSON, st.sampled_from([{}, {"expires_at": NEW_YEAR, "send_at": "2026-12-01T00:00:00.123456Z"}]))
def test_an_event_that_waited_to_be_expanded_has_for_each_user_the_digest_that_it_has_alone(
    value: Any, more: dict[str, Any]
) -> None:
    alone = plain_event(event(id="e", source="s", data={"message": "Hi", "value": value}, priority="low", **more), {})
    waiting = write_event(replace(alone, user_id="", body_hash=b""))

    mine, other = rows_for(waiting, ("1", "2"))

    assert mine == alone.row()
    assert (other.user_id, other.body_hash == mine.body_hash, other.id == mine.id) == ("2", False, False)


@pytest.mark.parametrize(
    "wishes",
    [
        Wishes(channel=Channel.SMS),
        Wishes(template="receipt"),
        Wishes(on_ambiguous=OnAmbiguous.RESEND),
        Wishes(priority=Priority.LOW),
        Wishes(channel=Channel.PUSH, template="a", on_ambiguous=OnAmbiguous.HOLD, priority=Priority.HIGH),
    ],
)
def test_wishes_are_read_as_they_were_written(wishes: Wishes) -> None:
    assert Wishes.from_json(wishes.to_json() or {}) == wishes


def test_no_wish_writes_nothing() -> None:
    assert (NO_WISHES.to_json(), Wishes(priority=Priority.NORMAL).to_json()) == (None, None)


@pytest.mark.parametrize(("headers", "is_the_same"), [({"Idempotency-Key": "k"}, True), ({}, False)])
def test_the_key_of_a_request_is_used_once_whoever_the_user_is_and_the_id_of_an_event_once_per_user(
    headers: dict[str, str], is_the_same: bool
) -> None:
    one, other = (plain_event(event(id="e", user_id=user), headers).row() for user in (1, 2))

    assert (one.id == other.id) is is_the_same
    assert one.body_hash != other.body_hash
