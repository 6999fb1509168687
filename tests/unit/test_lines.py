"""The order of a channel's providers: by weight over many notifications, and always the same for one."""

from __future__ import annotations

import math
from uuid import UUID, uuid5

import pytest

from shared.errors import SettingMissing
from shared.outcomes import Line
from shared.step.lines import OpenLine, in_order, open_lines
from tests.fakes import ScriptedProvider
from tests.simulation.store import Memory, MemoryStore

KEYS = [uuid5(UUID(int=14), str(number)) for number in range(400)]


def opened(**weights: int) -> tuple[OpenLine, ...]:
    lines = [Line(provider=ScriptedProvider(name=name), weight=weight) for name, weight in weights.items()]
    return open_lines(lines, MemoryStore(Memory()).breakers)


def first(key: UUID, lines: tuple[OpenLine, ...]) -> str:
    return in_order(key, lines)[0].name


@pytest.mark.parametrize(("heavy", "light"), [(3, 1), (1, 1), (9, 1)])
async def test_each_provider_gets_its_share(heavy: int, light: int) -> None:
    lines = opened(heavy=heavy, light=light)
    share = heavy / (heavy + light)
    four_deviations = 4 * math.sqrt(len(KEYS) * share * (1 - share))

    count = sum(1 for key in KEYS if first(key, lines) == "heavy")

    assert abs(count - len(KEYS) * share) <= four_deviations


async def test_a_notification_has_the_same_order_in_every_process() -> None:
    one, another = opened(a=3, b=2, c=1), opened(a=3, b=2, c=1)

    orders = [[[line.name for line in in_order(key, lines)] for key in KEYS] for lines in (one, another)]

    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders[0]}) == 6


async def test_without_a_provider_only_its_own_share_moves() -> None:
    three, two = opened(a=3, b=2, c=1), opened(a=3, b=2)

    moved = {first(key, three) for key in KEYS if first(key, three) != first(key, two)}

    assert moved == {"c"}


@pytest.mark.parametrize("names", [[], ["smtp", "smtp"]])
async def test_providers_that_cannot_be_told_apart_are_refused(names: list[str]) -> None:
    lines = [Line(provider=ScriptedProvider(name=name)) for name in names]

    with pytest.raises(SettingMissing):
        open_lines(lines, MemoryStore(Memory()).breakers)


async def test_a_weight_below_one_is_refused() -> None:
    with pytest.raises(SettingMissing):
        opened(a=0, b=1)
