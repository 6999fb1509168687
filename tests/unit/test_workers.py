from __future__ import annotations

import pytest

from infrastructure.local.workers import Part, parts


@pytest.mark.parametrize("count", range(2, 30))
def test_every_part_has_its_workers_and_one_of_them_gives_the_ticks(count: int) -> None:
    shared = parts(count)

    assert len(shared) == count
    assert shared.count(Part.QUEUES_AND_CLOCK) == 1
    assert 1 <= shared.count(Part.REQUESTS) <= max(1, count / 3)
