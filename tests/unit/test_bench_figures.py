"""The figures of the benchmark: percentiles, mails and what they belong to, processor time, set sizes."""

from __future__ import annotations

import json

import pytest

from infrastructure.bench.components import BENCH, POSTGRES, RUNTIME, Reading, used
from infrastructure.bench.machine import Ticks, parse_ticks
from infrastructure.bench.matching import Answers, Mail, Tally, match
from infrastructure.bench.parcels import Parcels, find_mark
from infrastructure.bench.percentiles import Percentiles, percentiles
from infrastructure.bench.processes import Process, name, parse_memory, parse_stat, tree
from infrastructure.bench.scraping import find_inode
from infrastructure.bench.set_sizes import averages, parse

MIXED = Parcels(run="a1", count=4, users=2, channels=("email", "sms"))
PARCELS = Parcels(run="a1", count=3, users=2)
CLI = ["python", "-m", "infrastructure.cli"]


def test_a_percentile_is_a_latency_that_was_measured() -> None:
    found = percentiles(number / 1000 for number in range(100, 0, -1))

    assert found == Percentiles(p50=50, p95=95, p99=99, max=100)
    assert percentiles([0.007]) == Percentiles(p50=7, p95=7, p99=7, max=7)
    assert percentiles([]) is None


def tally(*mails: Mail, statuses: tuple[int, ...] = (202, 202, 202)) -> Tally:
    answers = Answers(
        due=[1.0, 2.0, 3.0], sent=[1.0, 2.5, 3.0], answered=[1.1, 2.6, 3.1], statuses=statuses, ids=["", "", ""]
    )
    return match(PARCELS, answers, mails)


MAILS = (
    Mail(3.2, "a1-2", "user1@example.test"),
    Mail(1.5, "a1-0", "user1@example.test"),
    Mail(2.7, "a1-1", "user2@example.test"),
)


def test_each_mail_is_matched_with_what_was_posted_in_whatever_order_they_come() -> None:
    found = tally(*MAILS)

    assert (found.accepted, found.refused) == (3, 0)
    assert (found.lost, found.duplicates, found.misdirected, found.strays) == (0, 0, 0, 0)
    assert found.mail_seconds == pytest.approx([0.5, 0.7, 0.2])


def test_latencies_count_from_when_it_was_due_and_not_from_when_it_could_be_sent() -> None:
    found = tally(*MAILS)

    assert found.post_seconds == pytest.approx([0.1, 0.6, 0.1])
    assert found.late_seconds == pytest.approx([0, 0.5, 0])


def test_what_was_accepted_and_has_no_mail_is_lost() -> None:
    found = tally(MAILS[0], MAILS[1])

    assert found.lost == 1
    assert len(found.mail_seconds) == 2


def test_what_was_refused_or_cut_off_is_not_lost_and_its_mail_is_no_stray() -> None:
    found = tally(*MAILS, statuses=(202, 503, 0))

    assert (found.accepted, found.refused, found.lost, found.strays) == (1, 2, 0, 0)
    assert len(found.mail_seconds) == 1


def test_a_second_mail_a_wrong_recipient_and_a_foreign_mail_are_told_apart() -> None:
    again, elsewhere = Mail(9.0, "a1-0", "user1@example.test"), Mail(2.7, "a1-1", "user1@example.test")
    foreign = (Mail(1.0, "b2-0", "user1@example.test"), Mail(1.0, "a1-3", "x"), Mail(1.0, "", "x"))

    found = tally(MAILS[0], MAILS[1], again, elsewhere, *foreign)

    assert (found.duplicates, found.misdirected, found.strays, found.lost) == (1, 1, 3, 0)


def test_a_mark_is_found_in_the_message_whatever_the_subject_says() -> None:
    body = json.loads(PARCELS.request(2).partition(b"\r\n\r\n")[2])
    mail = f"Subject: Parcel sent\r\nTo: user1@example.test\r\n\r\nHello,\r\n{body['data']['message']}\r\n"

    assert find_mark(mail.encode()) == PARCELS.mark(2)
    assert PARCELS.number(find_mark(mail.encode())) == 2
    assert find_mark(b"Subject: Parcel sent\r\n\r\nnothing") == ""
    assert find_mark(b"Parcel #cut off") == ""


def test_a_request_says_how_long_it_is() -> None:
    head, _, body = PARCELS.request(1).partition(b"\r\n\r\n")

    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert json.loads(body)["user_id"] == "2"


def test_a_program_whose_name_looks_like_fields_is_read_right() -> None:
    stat = "42 (a ) R 9 (x) S 7 42 42 0 -1 4194560 500 600 0 0 150 50 25 75 20 0 1 0 100 0 0"

    assert parse_stat(stat, 100) == Process(parent=7, cpu_seconds=3.0)


def test_a_tree_is_a_process_and_all_that_it_started_as_far_as_they_live() -> None:
    running = {1: Process(0, 0), 10: Process(1, 0), 11: Process(10, 0), 12: Process(11, 0), 20: Process(1, 0)}

    assert tree(running, [10]) == {10, 11, 12}
    assert tree(running, [20, 99]) == {20}


@pytest.mark.parametrize(
    ("command", "called"),
    [
        ([*CLI, "up", "--port", "0"], "up"),
        ([*CLI, "worker", "7", "--no-ticks"], "worker"),
        ([*CLI, "serve", "deliver-email"], "deliver-email"),
        ([*CLI, "sources", "--service", "ingest=http://127.0.0.1:1"], "sources"),
        (["/usr/lib/erlang/beam.smp", "-W"], "beam.smp"),
        ([], "?"),
    ],
)
def test_a_process_is_named_after_what_it_was_asked_for(command: list[str], called: str) -> None:
    assert name(command) == called


def test_memory_is_the_sum_that_the_kernel_gives() -> None:
    rollup = "5581000-7ffd000 ---p 0 00:00 0  [rollup]\nRss:   2048 kB\nPss:   1024 kB\nPss_Anon:  999 kB\n"

    assert parse_memory(rollup) == {"Rss": 2048, "Pss": 1024}


def test_interrupts_and_stolen_time_are_nobodys_noise() -> None:
    found = parse_ticks("cpu  100 20 30 999 888 4 6 7 0 0", 100)

    assert found == Ticks(processes=1.5, interrupts=0.1, stolen=0.07)


def reading(at: float, processes: float, own: float, **parts: dict[int, float]) -> Reading:
    return Reading(
        at=at,
        ticks=Ticks(processes=processes, interrupts=at / 10, stolen=0),
        own_seconds=own,
        cpu_seconds={
            {"runtime": RUNTIME, "postgres": POSTGRES, "bench": BENCH}[part]: of for part, of in parts.items()
        },
    )


def test_processor_time_is_told_by_part_and_what_is_left_is_noise() -> None:
    before = reading(0, 100, 1.0, runtime={1: 5.0, 2: 1.0}, postgres={3: 2.0, 4: 0.5}, bench={5: 0.0})
    after = reading(2, 104, 1.25, runtime={1: 6.0, 2: 1.5}, postgres={3: 3.0}, bench={5: 0.25})

    found = used(before, after, {1: "up", 2: "ingest"})

    assert found.cpu_seconds == {RUNTIME: 1.5, POSTGRES: 0.5, BENCH: 0.5}
    assert found.runtime_cpu_seconds == {"ingest": 0.5, "up": 1.0}
    assert (found.cores_used, found.noise_cores, found.interrupt_cores) == (1.25, 0.75, 0.1)


METRICS = """
# TYPE carillon_step_set_size histogram
carillon_step_set_size_bucket{step="orchestrate",le="1.0"} 3.0
carillon_step_set_size_count{step="orchestrate"} 10.0
carillon_step_set_size_sum{step="orchestrate"} 40.0
carillon_step_set_size_count{step="sweep"} 0.0
carillon_step_set_size_sum{step="sweep"} 0.0
carillon_step_events_total{step="orchestrate",answer="done"} 40.0
"""


def test_an_average_set_is_what_came_in_between_over_the_processes_that_told_both_times() -> None:
    before = parse(METRICS)
    after = {"orchestrate": (140.0, 30.0), "sweep": (0.0, 0.0)}

    assert before == {"orchestrate": (40.0, 10.0), "sweep": (0.0, 0.0)}
    assert averages({7: before}, {7: after, 8: {"orchestrate": (1000.0, 1.0)}}) == {"orchestrate": 5.0}
    assert averages({7: before, 8: {}}, {7: after, 8: {"orchestrate": (100.0, 5.0)}}) == {"orchestrate": 8.0}


def test_the_socket_of_a_connection_is_found_by_its_two_ports() -> None:
    table = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0\n"
        "   1: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 20 4\n"
    )

    assert find_inode(table, 0x1F90, 0xC001) == "222"
    assert find_inode(table, 0x1F90, 0xC002) is None


def test_of_a_mix_of_channels_only_what_goes_by_mail_can_be_missing_at_the_mail_server() -> None:
    answers = Answers(due=[1.0] * 4, sent=[1.0] * 4, answered=[1.1] * 4, statuses=[202] * 4, ids=[""] * 4)

    found = match(MIXED, answers, [Mail(1.5, "a1-0", "user1@example.test")])

    asked = [json.loads(MIXED.request(number).partition(b"\r\n\r\n")[2])["data"] for number in range(4)]
    assert [data["preferred_channel"] for data in asked] == ["email", "sms", "email", "sms"]
    assert (MIXED.mails(3), PARCELS.mails(3)) == (2, 3)
    assert (found.accepted, found.lost, len(found.mail_seconds)) == (4, 1, 1)
