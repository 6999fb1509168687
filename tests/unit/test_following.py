"""Following a list: every change is told once, and no more is asked for than can have changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infrastructure.cli.following import LONGEST_SECONDS, MOST_PAGES, OVERLAP_SECONDS, PAGE, Watch

BEGIN = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def row(key: str, status: str = "sent", *, at: float = 0, epoch: int = 0, **deliveries: str) -> dict[str, Any]:
    return {
        "id": key,
        "status": status,
        "epoch": epoch,
        "created_at": (BEGIN + timedelta(seconds=at)).isoformat(),
        "deliveries": [{"channel": channel, "status": said} for channel, said in deliveries.items()],
    }


def told(watch: Watch, *rows: dict[str, Any]) -> list[str]:
    return [str(one["id"]) for one in watch.take(rows)]


def test_a_change_is_told_once() -> None:
    watch = Watch({})

    assert told(watch, row("b", "pending", at=1), row("a")) == ["a", "b"]
    assert told(watch, row("b", "pending", at=1), row("a")) == []
    assert told(watch, row("b", "queued", at=1), row("a")) == ["b"]


@pytest.mark.parametrize("changed", [row("a", "queued", email="sent"), row("a", "queued", epoch=1)])
def test_a_channel_that_changes_and_a_new_epoch_are_changes(changed: dict[str, Any]) -> None:
    watch = Watch({})
    told(watch, row("a", "queued", email="queued"))

    assert told(watch, changed) == ["a"]


def test_it_asks_from_the_oldest_that_goes_on() -> None:
    watch = Watch({})

    told(watch, row("c", at=100), row("b", "queued", at=50), row("a", at=0))
    going_on = watch.since
    told(watch, row("b", "sent", at=50))

    assert going_on == BEGIN + timedelta(seconds=50)
    assert watch.since == BEGIN + timedelta(seconds=100 - OVERLAP_SECONDS)
    assert not watch.is_busy


def test_what_goes_on_for_too_long_is_let_go() -> None:
    watch = Watch({})
    told(watch, row("old", "queued", at=0))

    told(watch, row("new", at=LONGEST_SECONDS + 1))

    assert watch.since == BEGIN + timedelta(seconds=LONGEST_SECONDS + 1 - OVERLAP_SECONDS)
    assert list(watch._told) == ["new"]


class Pages:
    """A list with more pages than anybody reads."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def request(self, method: str, path: str) -> dict[str, Any]:
        self.asked.append(path)
        rows = [row(f"{len(self.asked)}-{number}", at=-len(self.asked)) for number in range(PAGE)]
        return {"notifications": rows, "next_cursor": "more"}


async def test_a_busy_list_is_read_to_a_bound_and_it_says_so() -> None:
    pages, watch = Pages(), Watch({"channel": "email"})

    first = await watch.first(pages, 3)  # type: ignore[arg-type]
    await watch.look(pages)  # type: ignore[arg-type]

    assert len(first) == 3
    assert len(pages.asked) == 1 + MOST_PAGES
    assert all("channel=email" in path for path in pages.asked)
    assert "created_after=" in pages.asked[1]
    assert watch.is_behind
    assert watch.since == BEGIN - timedelta(seconds=1)
