"""How many mails go in one write follows from how fast a server answers."""

from __future__ import annotations

import pytest

from functions.deliver_email.pace import FIRST, MOST, Pace


def test_a_server_that_answers_fast_gets_more_mails_at_once_up_to_a_bound() -> None:
    pace, seen = Pace(), []

    for _ in range(5):
        seen.append(pace.mails)
        pace.note(pace.mails, 0.01)

    assert seen == [FIRST, 16, 32, MOST, MOST]


def test_a_server_that_answers_slowly_gets_fewer_down_to_one() -> None:
    pace, seen = Pace(), []

    for _ in range(5):
        seen.append(pace.mails)
        pace.note(pace.mails, 0.3)

    assert seen == [FIRST, 4, 2, 1, 1]


def test_a_server_that_takes_its_time_for_each_mail_has_no_more_in_hand_than_a_tenth_of_a_second_is_worth() -> None:
    pace = Pace()

    for _ in range(20):
        pace.note(pace.mails, 0.02 * pace.mails)

    assert pace.mails == 4


def test_after_a_write_that_broke_off_the_next_holds_one_mail_and_then_more_again() -> None:
    pace, seen = Pace(), []
    pace.break_off()

    for _ in range(4):
        seen.append(pace.mails)
        pace.note(pace.mails, 0.01)

    assert seen == [1, 2, 4, 8]


def test_slow_answers_to_writes_side_by_side_halve_the_pace_once() -> None:
    pace = Pace()

    for _ in range(10):
        pace.note(8, 0.3)

    assert pace.mails == 4


@pytest.mark.parametrize("mails", [1, 7])
def test_a_fast_answer_to_a_write_that_was_not_full_proves_nothing(mails: int) -> None:
    pace = Pace()

    pace.note(mails, 0.001)

    assert pace.mails == FIRST


def test_the_time_for_which_this_process_was_busy_is_not_the_servers() -> None:
    pace = Pace()

    pace.note(8, 0.3, busy_seconds=0.29)

    assert pace.mails == 16


def test_a_server_that_takes_one_mail_at_a_time_gets_one_until_it_can_take_more() -> None:
    pace = Pace()

    pace.is_lock_step = True
    in_lock_step = pace.mails
    pace.is_lock_step = False

    assert (in_lock_step, pace.mails) == (1, FIRST)
