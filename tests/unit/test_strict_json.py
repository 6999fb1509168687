"""What the intake reads as JSON, and what it refuses, with the place named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared import strict_json
from shared.errors import Refused

QUICK = settings(max_examples=60, deadline=None)
INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)
TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | INT64 | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def refusal(body: bytes, *, at: str = "") -> Refused:
    with pytest.raises(Refused) as caught:
        strict_json.parse(body, at=at)
    return caught.value


def refused_if_at_all(body: bytes) -> Refused | None:
    try:
        strict_json.parse(body)
    except Refused as refused:
        return refused
    return None


@QUICK
@given(VALUES)
def test_every_value_that_can_be_kept_is_read_as_it_was_written(value: Any) -> None:
    body = json.dumps(value).encode()

    assert strict_json.parse(body) == value


@QUICK
@given(st.binary(max_size=200))
@example(b'{"a":NaN,')
@example(b"[NaN" + b"[" * 5_000)
@example(b'{"a":1,"a":2}x')
def test_no_bytes_are_answered_with_anything_but_a_value_or_a_refusal(body: bytes) -> None:
    refused = refused_if_at_all(body)

    assert refused is None or (refused.status == 400 and refused.field)


@QUICK
@given(st.text(st.sampled_from('{}[]",:0123456789eE+-.NaIfntrue\\ud8 '), max_size=60))
def test_no_near_json_is_answered_with_anything_but_a_value_or_a_refusal(text: str) -> None:
    refused = refused_if_at_all(text.encode())

    assert refused is None or refused.status == 400


def test_malformed_json_is_refused_with_its_line_and_column() -> None:
    refused = refusal(b'{"a": 1,\n "b": }')

    assert (refused.status, refused.field) == (400, "body")
    assert "line 2, column 7" in refused.detail


@pytest.mark.parametrize("body", [b"", b" ", b'{"a":1} x', b"{'a':1}", b'"a\nb"', b"[1,]", b"01", b"\x00"])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    assert refusal(body).title == "Malformed JSON"


@pytest.mark.parametrize("body", [b'{"a":"\xff"}', b'"\xed\xa0\x80"', b'"\xc0\xa0"'])
def test_a_body_that_is_not_utf8_is_refused(body: bytes) -> None:
    refused = refusal(body)

    assert (refused.status, refused.title, refused.field) == (400, "Not UTF-8", "body")


def test_a_byte_order_mark_is_refused() -> None:
    assert "byte order mark" in refusal(b"\xef\xbb\xbf{}").detail


def test_a_body_over_256_kib_is_refused_and_one_of_256_kib_is_read() -> None:
    largest = b'"' + b"x" * (262_144 - 2) + b'"'

    assert len(strict_json.parse(largest)) == 262_142
    refused = refusal(largest + b" ")
    assert (refused.status, refused.field) == (413, "body")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"])
def test_a_number_that_is_none_is_refused_by_its_path(word: str) -> None:
    refused = refusal(f'{{"data":{{"amounts":[1.5,{word}]}}}}'.encode())

    assert (refused.status, refused.field) == (400, "data.amounts[1]")


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_an_integer_beyond_64_bits_is_refused_by_its_path(number: int) -> None:
    refused = refusal(json.dumps({"data": {"total": number}}).encode())

    assert (refused.status, refused.field) == (400, "data.total")


def test_the_largest_and_the_smallest_64_bit_integers_are_read() -> None:
    assert strict_json.parse(b"[9223372036854775807,-9223372036854775808]") == [2**63 - 1, -(2**63)]


def test_an_integer_of_200_000_digits_is_refused() -> None:
    assert refusal(b'{"n":' + b"1" * 200_000 + b"}").field == "n"


def test_a_key_that_occurs_twice_is_refused_by_its_path() -> None:
    refused = refusal(b'{"data":{"items":[{"id":1},{"id":1,"id":2}]}}')

    assert (refused.status, refused.field) == (400, "data.items[1].id")


def test_a_key_that_occurs_twice_through_an_escape_is_refused() -> None:
    assert refusal(rb'{"id":1,"\u0069d":2}').field == "id"


@pytest.mark.parametrize("escape", [r"\u0000", r"\ud800", r"\uDFFF", r"\udc00\ud800", r"\uD83D!"])
def test_a_nul_or_a_lone_surrogate_in_a_string_is_refused_by_its_path(escape: str) -> None:
    refused = refusal(f'{{"data":{{"message":"a{escape}b"}}}}'.encode())

    assert (refused.status, refused.field) == (400, "data.message")


@pytest.mark.parametrize("escape", [r"\u0000", r"\ud800"])
def test_a_nul_or_a_lone_surrogate_in_a_key_is_refused_by_its_object(escape: str) -> None:
    refused = refusal(f'{{"data":{{"a{escape}b":1}}}}'.encode())

    assert (refused.status, refused.field) == (400, "data")


def test_a_surrogate_pair_and_an_escaped_backslash_are_read() -> None:
    assert strict_json.parse(rb'["\ud83d\ude00","\\u0000","\\ud800"]') == ["😀", r"\u0000", r"\ud800"]


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 40_000])
def test_100_000_nested_brackets_are_refused(body: bytes) -> None:
    refused = refusal(body)

    assert (refused.status, refused.field) == (400, "body")


def test_64_levels_are_read_and_65_are_refused() -> None:
    assert strict_json.parse(b"[" * 64 + b"]" * 64)
    refused = refusal(b'{"a":' + b"[" * 64 + b"1" + b"]" * 64 + b"}")
    assert refused.detail == strict_json.NESTED_TOO_DEEPLY
    assert (refused.field or "").startswith("a[0][0]")


def test_brackets_in_a_string_are_no_nesting() -> None:
    assert strict_json.parse(b'"' + b"[{" * 500 + b'"') == "[{" * 500


def test_a_wide_document_is_no_deep_one() -> None:
    assert len(strict_json.parse(b"[" + b"[],{}," * 500 + b"0]")) == 1001


def test_the_place_of_a_nested_document_is_part_of_the_path() -> None:
    assert refusal(b'{"a":NaN}', at="data").field == "data.a"
    assert refusal(b"nonsense", at="data").field == "data"


def test_a_refusal_repeats_nothing_unprintable_and_nothing_long() -> None:
    key = "a\u202e" + "b" * 1000
    refused = refusal(json.dumps({"x" * 1000: {key: float("nan")}}).encode())

    assert refused.field == "x" * 64 + ".?"


def test_one_bad_element_of_an_array_does_not_harm_the_others() -> None:
    elements = strict_json.parse_array(rb'[1,NaN,{"a":"\u0000"},{"b":1,"b":2},null,' + b"[" * 70 + b"]" * 70 + b"]")

    assert [elements[0], elements[4]] == [1, None]
    refused = [element for element in elements if isinstance(element, Refused)]
    assert [one.field for one in refused[:3]] == ["body", "a", "b"]
    assert refused[3].detail == strict_json.NESTED_TOO_DEEPLY


@pytest.mark.parametrize("body", [b"{}", b"1", b'"a"', b"null", b"NaN", b'{"a":1,"a":2}'])
def test_what_is_no_array_is_refused_as_one(body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        strict_json.parse_array(body)

    assert caught.value.status == 400
