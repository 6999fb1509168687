"""Whoever holds a token may stop one kind of message for one person, and nobody else may."""

from __future__ import annotations

import base64
import hmac
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.statuses import Channel
from shared.unsubscribing import LONGEST_TOKEN, Subscription, read_token, write_token

SECRET, ANOTHER = b"s" * 32, b"t" * 32
OFFERS = Subscription(tenant="shop", user_id="1", category="offers", channel=Channel.EMAIL)
QUICK = settings(max_examples=80, deadline=None, database=None)

subscriptions = st.builds(
    Subscription,
    tenant=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True),
    user_id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128),
    category=st.from_regex(r"[a-z0-9_-]{1,64}", fullmatch=True),
    channel=st.sampled_from(Channel),
)


@QUICK
@given(subscription=subscriptions)
def test_a_token_says_whom_and_what_it_is_about(subscription: Subscription) -> None:
    token = write_token(SECRET, subscription)

    assert read_token(SECRET, token) == subscription
    assert token.replace("-", "").replace("_", "").replace(".", "").isalnum()
    assert len(token) <= LONGEST_TOKEN


@QUICK
@given(place=st.integers(min_value=0), character=st.characters())
def test_a_token_that_was_touched_anywhere_is_none(place: int, character: str) -> None:
    token = write_token(SECRET, OFFERS)
    place %= len(token)
    touched = token[:place] + character + token[place + 1 :]

    assert read_token(SECRET, touched) == (OFFERS if touched == token else None)


def test_another_installations_token_is_none() -> None:
    assert read_token(SECRET, write_token(ANOTHER, OFFERS)) is None


def test_one_persons_signature_is_no_good_for_another() -> None:
    mine = write_token(SECRET, OFFERS)
    theirs = write_token(ANOTHER, Subscription(tenant="shop", user_id="2", category="offers", channel=Channel.EMAIL))

    assert read_token(SECRET, f"{theirs.partition('.')[0]}.{mine.partition('.')[2]}") is None


@pytest.mark.parametrize("text", ["", ".", "a", "a.b", "ä.ö", "." * 3000, f"{'a' * 3000}.b", "\ud800.b", "a.b.c"])
def test_what_is_no_token_is_none(text: str) -> None:
    assert read_token(SECRET, text) is None


@pytest.mark.parametrize("said", [None, [], ["shop", "1", "offers"], ["shop", "1", "offers", "pigeon"], {"a": 1}, 1])
def test_what_we_signed_and_do_not_understand_any_more_is_none(said: object) -> None:
    payload = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=")
    signature = base64.urlsafe_b64encode(hmac.digest(SECRET, payload, "sha256")).rstrip(b"=")

    assert read_token(SECRET, f"{payload.decode()}.{signature.decode()}") is None
