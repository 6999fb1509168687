"""An array of events is read whole; what is no event of ours in it is kept with its bytes as they came."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.batches import cut, read_batch
from shared.events import Event, Garbled, MixedBundle, write_bundle

GOOD = b'{"specversion":"1.0","id":"a","source":"/test","type":"carillon.notification.accepted"}'
GARBAGE = b'{"id" : "caf\\u00e9",  "n":1.50,"n":2e3}'

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
SPACES = st.text(" \t\r\n", max_size=2)


def array(*elements: bytes) -> bytes:
    return b"[" + b",".join(elements) + b"]"


def test_events_of_ours_are_read() -> None:
    found = read_batch(array(GOOD, GOOD))

    assert found is not None
    assert [type(one) for one in found] == [Event, Event]


def test_what_is_none_keeps_its_bytes_as_they_came_and_harms_nobody() -> None:
    found = read_batch(array(GOOD, b" " + GARBAGE + b"\n", b'"text"', GOOD))

    assert found is not None
    assert [type(one) for one in found] == [Event, Garbled, Garbled, Event]
    assert [one.body for one in found if isinstance(one, Garbled)] == [GARBAGE, b'"text"']


def test_a_bundle_with_a_member_that_is_none_is_taken_apart() -> None:
    found = read_batch(array(write_bundle("both", [GOOD, GARBAGE])))

    assert found is not None
    (bundle,) = found
    assert isinstance(bundle, MixedBundle)
    assert [type(member) for member in bundle.members] == [Event, Garbled]


@pytest.mark.parametrize(
    "body",
    [b"", b"  ", b"{}", b"1", b"[", b"[1", b"[1,", b"[1,]", b"[,1]", b"[1]x", b"[1 2]", b"[]]", b"[\xff]", b"[" * 9999],
)
def test_what_is_no_array_is_told_apart(body: bytes) -> None:
    assert cut(body) is None
    assert read_batch(body) is None


def test_an_empty_array_has_no_elements() -> None:
    assert cut(b" [ ] ") == []


@given(st.lists(st.tuples(VALUES, SPACES, SPACES)))
def test_every_array_is_cut_where_its_elements_begin_and_end(parts: list[tuple[Any, str, str]]) -> None:
    elements = [json.dumps(value).encode() for value, _, _ in parts]
    spaced = [before.encode() + one + after.encode() for one, (_, before, after) in zip(elements, parts, strict=True)]

    assert cut(array(*spaced)) == elements
