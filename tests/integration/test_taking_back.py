"""What was sent is taken back where that can be done, and corrected where it cannot: by the real steps."""

from __future__ import annotations

from uuid import UUID

from pydantic import SecretStr

from infrastructure.sandbox.telegram import TOKEN
from shared.broker.topology import COMPENSATIONS
from shared.outbox import About, write
from shared.saga import CompensationOwed
from shared.settings import Settings
from shared.statuses import Channel, NotificationStatus
from shared.store import Store
from shared.store.directory import User
from tests.contract.bot_api import CHAT, Stage, client, sandbox
from tests.world import ADDRESS, TENANT, USER, World, lines

EVERYWHERE = {"channels": ["email", "telegram", "websocket"], "strategy": "all", "correction": "withdrawn"}


def telling(stage: Stage) -> Settings:
    """Write the settings of an installation with a bot."""
    return Settings(
        api_keys=None,
        host="127.0.0.1",
        channels="email,telegram,websocket",
        telegram_bot_token=SecretStr(TOKEN),
        telegram_base_url=stage.url,
    )


async def test_a_message_is_out_of_the_chat_and_the_inbox_and_a_mail_corrects_the_mail(store: Store) -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        world = World(store, telegram=provider)
        world.resources.settings = telling(stage)
        world.restart()
        undoing = world.frames[COMPENSATIONS]
        await world.settle_in(EVERYWHERE)
        await store.directory.put_users(TENANT, [User(id=USER, email=ADDRESS, telegram=CHAT)])
        notification = await world.post()
        await world.deliver_everything()
        was_there = (stage.texts(), len(await store.inbox.since(TENANT, USER, 0)), len(world.mail.letters))

        await store.database.run("UPDATE notifications SET status = 'compensating', reason = 'it was called back'")
        await world.hand([write("orchestrate", About(notification, TENANT), CompensationOwed())])
        await world.deliver_everything()

        assert was_there == (["Order shipped\n\nYour order is on its way."], 1, 1)
        assert (stage.texts(), await store.inbox.since(TENANT, USER, 0)) == ([], [])
        first, second = world.mail.letters
        assert (second.subject, second.address) == ("Withdrawn: Order shipped", first.address)
        document = await world.document(notification)
        reached = {delivery["channel"]: delivery["status"] for delivery in document["deliveries"]}
        assert reached == {"email": "sent", "telegram": "retracted", "websocket": "retracted"}
        (line,) = lines(document, "not_undone")
        assert line["why"] == f"an e-mail cannot be called back; a correction follows: {second.notification_id}"
        assert await world.status_of(second.notification_id) is NotificationStatus.SENT
        await undoing.drain()
        assert {delivery["channel"] for delivery in (await world.document(second.notification_id))["deliveries"]} == {
            Channel.EMAIL.value
        }


async def test_a_correction_that_failed_is_replayed_as_a_correction_and_never_as_what_it_corrects(store: Store) -> None:
    world = await World(store).settle_in({**EVERYWHERE, "channels": ["email"], "correction": "no such template"})
    notification = await world.post()
    await world.deliver_everything()
    await store.database.run("UPDATE notifications SET status = 'compensating', reason = 'it was called back'")
    await world.hand([write("orchestrate", About(notification, TENANT), CompensationOwed())])
    await world.deliver_everything()
    letters = await world.dead_letters()
    failed = next(letter for letter in letters if letter["notification_id"] != str(notification))

    await store.dead_letters.replay(TENANT, UUID(failed["id"]), "somebody")
    await world.turn_clock(31)
    await world.sweep()
    await world.deliver_everything()

    assert len(world.mail.letters) == 1
    assert len(await world.dead_letters()) == 2
