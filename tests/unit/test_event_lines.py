"""Many events of one file: how they are read, and the names under which they are sent again."""

from __future__ import annotations

from typing import Any

import pytest

from infrastructure.cli.event_lines import BrokenLine, EventLine, Form, Reading, read

ONE = '{"event_type": "a", "user_id": 1, "data": {"message": "one"}}\n'
TWO = '{"event_type": "a", "user_id": 2, "data": {"message": "two"}}\n'


def found(*lines: str, form: Form = Form.JSONL, run: str = "run", **defaults: Any) -> list[EventLine]:
    everything = list(read(lines, Reading(form=form, run=run, defaults=defaults)))
    assert all(isinstance(one, EventLine) for one in everything)
    return [one for one in everything if isinstance(one, EventLine)]


def keys(*lines: str, **more: Any) -> list[str]:
    return [one.key for one in found(*lines, **more)]


def test_an_event_has_the_same_key_each_time_wherever_it_stands() -> None:
    assert keys(ONE, TWO) == keys(ONE, TWO)
    assert set(keys("\n", TWO, ONE)) == set(keys(ONE, TWO))


def test_the_same_words_twice_in_a_file_are_two_events_and_in_another_run_others() -> None:
    first, second = keys(ONE, ONE)

    assert first != second
    assert keys(ONE, ONE) == [first, second]
    assert not {first, second} & set(keys(ONE, ONE, run="another"))


def test_another_default_is_another_event() -> None:
    assert keys(ONE) != keys(ONE, priority="low")


@pytest.mark.parametrize("name", ["id", "key"])
def test_an_events_own_name_goes_before_any_other(name: str) -> None:
    (line,) = found(f'{{"event_type": "a", "user_id": 1, "{name}": "order-42", "data": {{}}}}')

    assert (line.key, line.document["id"]) == ("order-42", "order-42")
    assert "key" not in line.document


def test_what_the_options_say_is_said_of_lines_that_do_not_say_it() -> None:
    (line,) = found(ONE, event_type="default", data={"message": "default", "preferred_channel": "email"})

    assert line.document["event_type"] == "a"
    assert line.document["data"] == {"message": "one", "preferred_channel": "email"}


@pytest.mark.parametrize("text", ["nonsense", "[1]", "1", '{"data": 1}', '{"a": NaN}', "[" * 100_000, "{"])
def test_a_line_that_is_no_event_spoils_no_other(text: str) -> None:
    first, broken, last = read([ONE, text, TWO], Reading(form=Form.JSONL, run="run"))

    assert isinstance(first, EventLine)
    assert isinstance(last, EventLine)
    assert isinstance(broken, BrokenLine)
    assert (broken.number, last.number) == (2, 3)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_row_of_a_csv_is_an_event(delimiter: str) -> None:
    rows = [
        ("event_type", "user_id", "key", "channel", "message", "data.total"),
        ("paid", "42", "k", "email", '"Hello\nyou"', "12"),
    ]

    (line,) = found(*[f"{delimiter.join(row)}\n" for row in rows], form=Form.CSV)

    assert line.document == {
        "event_type": "paid",
        "user_id": "42",
        "id": "k",
        "data": {"preferred_channel": "email", "message": "Hello\nyou", "total": "12"},
    }


def test_an_empty_cell_says_nothing() -> None:
    (line,) = found("event_type,user_id,message\n", ",7,hi\n", form=Form.CSV, event_type="news")

    assert line.document["event_type"] == "news"


def test_a_row_with_cells_too_few_or_too_many_is_broken_and_its_neighbours_are_not() -> None:
    lines = ["user_id,message\n", "1,one\n", "2\n", "\n", "3,three,more\n", "4,four\n"]

    rows = list(read(lines, Reading(form=Form.CSV, run="run")))

    assert [(type(row), row.number) for row in rows] == [
        (EventLine, 2),
        (BrokenLine, 3),
        (BrokenLine, 5),
        (EventLine, 6),
    ]
