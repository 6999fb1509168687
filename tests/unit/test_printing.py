"""What a command prints: tables that fit, texts that move nothing, and times as people say them."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.cli import moments, pages
from infrastructure.cli.printing import cells, plain, table

ROWS = [("a", "short", "why it was so, in words that take more than one line"), ("bb", "x" * 30, "never mind")]
NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def unstyled(lines: list[str]) -> list[str]:
    return [click.unstyle(line) for line in lines]


def test_where_nobody_looks_nothing_is_cut() -> None:
    lines = unstyled(table(("id", "name", "why"), ROWS, None))

    assert len(lines) == 3
    assert "x" * 30 in lines[2]
    assert lines[1].endswith(ROWS[0][2])


def test_a_table_fits_the_terminal_and_its_last_column_goes_on_below() -> None:
    lines = unstyled(table(("id", "name", "why"), ROWS, 40))

    assert max(map(cells, lines)) <= 40
    assert any("…" in line for line in lines)
    words = " ".join(line.strip() for line in lines)
    assert "take more than one line" in " ".join(words.split())


def test_an_id_is_never_cut_for_somebody_will_type_it_again() -> None:
    key = "018f6c1e-7a52-7b3e-9c1d-2f4f5d0a9c11"

    lines = unstyled(table(("id", "name", "why"), [(key, "x" * 40, "because")], 60, whole=("id",)))

    assert key in lines[1]
    assert cells(lines[1]) <= 60


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=60), st.text(max_size=60)), max_size=5), st.integers(30, 90))
def test_no_line_is_wider_than_the_terminal_whatever_is_in_it(rows: list[tuple[str, str]], width: int) -> None:
    assert all(cells(line) <= width for line in unstyled(table(("one", "two"), rows, width)))


def test_wide_letters_take_two_cells_and_accents_none() -> None:
    assert [cells(text) for text in ("abc", "東京", "e\u0301")] == [3, 4, 1]


@pytest.mark.parametrize("text", ["a\x1b[2Jb", "a\nb", "a\r\nb", "a\x9bb", "a\u202eb", "a\x00b", "a\x7fb"])
def test_a_strangers_text_cannot_move_the_cursor_nor_turn_the_writing(text: str) -> None:
    assert plain(text).isprintable()
    assert plain(text).startswith("a ")


def test_a_status_has_a_colour_and_no_other_word_has() -> None:
    lines = table(("", ""), [("failed", "failed"), ("nobody", "x")], None)

    assert lines[0] == f"{click.style('failed', fg='red')}  failed"
    assert lines[1] == "nobody  x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-11-20T12:00:00Z", "now"),
        ("2026-11-20T11:59:59Z", "1 second ago"),
        ("2026-11-20T11:57:10Z", "2 minutes ago"),
        ("2026-11-20T13:00:00+01:00", "now"),
        ("2026-11-20T14:00:00Z", "in 2 hours"),
        ("2026-11-17T12:00:00Z", "3 days ago"),
        (None, ""),
    ],
)
def test_how_long_ago_it_was_is_said_in_one_unit(text: str | None, said: str) -> None:
    assert moments.ago(text, NOW) == said


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("2026-11-20T12:00:00.012Z", "+0.012 s"),
        ("2026-11-20T12:00:14.21Z", "+14.2 s"),
        ("2026-11-20T12:03:05Z", "+3:05 min"),
        ("2026-11-21T14:10:00Z", "+26:10 h"),
        ("2026-11-20T11:59:59.5Z", "-0.500 s"),
    ],
)
def test_how_long_after_it_was_is_as_fine_as_it_is_short(end: str, said: str) -> None:
    assert moments.after(end, "2026-11-20T12:00:00Z") == said


def notification(**said: object) -> dict[str, object]:
    return {
        "id": "018f",
        "event_type": "order.confirmed",
        "user_id": "42",
        "status": "sent",
        "reason": "",
        "created_at": "2026-11-20T11:59:00Z",
        "timeline": [{"at": "2026-11-20T11:59:02.5Z", "what": "attempt", "why": "250 ok\x1b[2J", "channel": "email"}],
        **said,
    }


def test_a_notifications_page_tells_what_there_is_and_leaves_out_what_is_not() -> None:
    page = "\n".join(unstyled(pages.notification(notification(collapse_key="cart"), NOW, 80)))

    assert "order.confirmed for 42: sent" in page
    assert "2026-11-20 11:59:00Z, 1 minute ago" in page
    assert "+2.500 s" in page
    assert "cart" in page
    assert "ATTEMPTS" not in page
    assert "\x1b" not in page
