from __future__ import annotations

import pytest

from infrastructure.local.records import QueueSource
from infrastructure.local.workers import Part, parts, share


@pytest.mark.parametrize("count", range(2, 30))
def test_every_part_has_its_workers_and_one_of_them_gives_the_ticks(count: int) -> None:
    shared = parts(count)

    assert len(shared) == count
    assert shared.count(Part.QUEUES_AND_CLOCK) == 1
    assert 1 <= shared.count(Part.REQUESTS) <= max(1, count / 3)


def test_who_answers_requests_takes_of_the_queues_what_the_others_have_no_room_for() -> None:
    source = QueueSource(name="a", queue="a", service="a", parallelism=50)

    working, helping = share(source, Part.QUEUES_AND_CLOCK), share(source, Part.REQUESTS)

    assert share(source, Part.QUEUES) == working
    assert helping.priority < working.priority
    assert (working.parallelism, helping.parallelism) == (50, 1)
    assert working.prefetch == helping.prefetch > 0
