"""The words of a Telegram message: bold, escaped, and in parts that Telegram takes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.deliver_telegram.parts import LONGEST_PART, compose
from infrastructure.sandbox.telegram import seen

WORDS = st.text(
    st.one_of(st.sampled_from("a<>&\"' \n"), st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")),
    max_size=400,
)
"""Without carriage returns, which a reader of HTML may drop."""


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def shown(parts: list[str]) -> list[str]:
    return [text for part in parts if (text := seen(part)) is not None]


def test_the_subject_is_bold_and_everything_is_escaped() -> None:
    assert compose("Tom & Jerry <3", 'a < b & "c"') == ['<b>Tom &amp; Jerry &lt;3</b>\n\na &lt; b &amp; "c"']


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("", "Order shipped: it is on its way."),
        ("Order shipped", "Order shipped: it is on its way."),
        (" ORDER SHIPPED ", "Order shipped\n\nIt is on its way."),
        ("Order shipped", "Order shipped"),
    ],
)
def test_a_subject_that_adds_nothing_is_left_out(subject: str, text: str) -> None:
    assert compose(subject, text) == [text]


@pytest.mark.parametrize("text", ["Orders are on their way.", "It is on its way."])
def test_a_subject_that_adds_something_is_there(text: str) -> None:
    assert compose("Order", text) == [f"<b>Order</b>\n\n{text}"]


def test_a_subject_alone_is_a_message_and_nothing_is_none() -> None:
    assert compose("Order shipped", " ") == ["<b>Order shipped</b>"]
    assert compose(" ", "\n") == []


@pytest.mark.parametrize(("separator", "end"), [("\n\n", "."), ("\n", "."), (" ", "x")])
def test_a_long_text_is_divided_at_a_paragraph_else_a_line_else_a_word(separator: str, end: str) -> None:
    piece = "x" * 2990 + end
    parts = compose("", separator.join([piece, "y" * 900, "z" * 900]))

    assert parts == [separator.join([piece, "y" * 900]), "z" * 900]


def test_a_paragraph_goes_before_a_later_line_and_a_line_before_a_later_word() -> None:
    text = "a" * 3000 + "\n\n" + "b" * 300 + "\n" + "c" * 300 + " " + "d" * 3000

    assert compose("", text) == ["a" * 3000, text[3002:]]


def test_a_subject_is_not_left_alone_for_the_paragraph_after_it() -> None:
    parts = compose("Order shipped", "word " * 1500)

    assert [len(text) > 1000 for text in shown(parts)] == [True, True]


def test_a_text_of_exactly_what_telegram_takes_is_one_part() -> None:
    assert len(compose("", "&" * LONGEST_PART)) == 1
    assert [len(part) for part in compose("", "x" * (LONGEST_PART + 1))] == [LONGEST_PART, 1]


def test_characters_are_counted_as_telegram_counts_them() -> None:
    parts = compose("", "😀" * LONGEST_PART)

    assert [units(part) for part in parts] == [LONGEST_PART, LONGEST_PART]


@given(WORDS, WORDS, st.integers(1, 60))
def test_nothing_is_lost_nothing_is_cut_and_no_part_is_too_long(subject: str, text: str, times: int) -> None:
    parts = compose(subject, text * times)

    read = shown(parts)
    assert len(read) == len(parts)
    assert all(0 < units(part) <= LONGEST_PART for part in read)
    written, wanted = squeezed("".join(read)), squeezed(text * times)
    assert written.endswith(wanted)
    assert written in (squeezed(subject) + wanted, wanted)


def squeezed(text: str) -> str:
    """Leave out the white space, which goes where a message is divided."""
    return re.sub(r"\s", "", text)
