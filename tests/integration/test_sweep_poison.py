"""The sweep meets a saga that a newer version wrote."""

from __future__ import annotations

from shared.statuses import NotificationStatus
from shared.store import Store
from tests.world import World


async def test_one_saga_that_cannot_be_read_does_not_stop_the_sweep_for_the_others(store: Store) -> None:
    world = await World(store).settle_in()
    poison, good = [await world.post(f"order-{number}") for number in range(2)]
    await world.store.database.run(
        "UPDATE notifications SET plan = '{\"steps\": [\"pigeon\"]}', next_look_at = next_look_at - interval '1 s'"
        " WHERE id = %s",
        (poison,),
    )
    world.lose_messages()

    await world.turn_clock(31)
    answer = await world.sweep()
    await world.deliver_everything()

    assert await world.status_of(good) is NotificationStatus.SENT
    assert answer == 204
