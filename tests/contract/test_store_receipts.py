"""Receipts, in Postgres and in memory: kept once, looked at soon, and what a bounce means for the address."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from shared.callback_links import Subject
from shared.saga import Receipt
from shared.statuses import Channel, OutcomeKind
from shared.store.claims import Command
from shared.store.directory import User
from tests.contract.stage import ADDRESS, EMAIL, TENANT, USER, WEBSOCKET, Stage, outcome

BOUNCED = "the mailbox does not exist"


def about(command: Command, *, tenant: str = TENANT, channel: Channel = EMAIL, epoch: int = 0) -> Subject:
    return Subject(tenant=tenant, notification_id=command.notification_id, channel=channel, epoch=epoch)


async def keep(stage: Stage, subject: Subject, receipt: Receipt = Receipt.FAILED, *, suppress: bool = False) -> bool:
    return await stage.store.receipts.keep(subject, receipt, BOUNCED, suppress=suppress)


async def send(stage: Stage) -> Command:
    """Let a mail be sent."""
    command = await stage.route()
    claim = await stage.claim(command)
    await stage.record(command, claim.token, outcome(OutcomeKind.ACCEPTED))
    await stage.fold_attempt(command, claim.token)
    return command


async def withheld(stage: Stage) -> str | None:
    """Say why the next mail to the same person is not sent, if so."""
    return (await stage.claim(await stage.route(2))).withheld


async def test_a_receipt_is_kept_once_and_brings_the_sweep(stage: Stage) -> None:
    command = await send(stage)
    assert await stage.next_look_in(command.notification_id) is None

    answers = await asyncio.gather(*[keep(stage, about(command)) for _ in range(5)])

    assert sorted(answers) == [False, False, False, False, True]
    assert 14 < (await stage.next_look_in(command.notification_id) or 0) <= 15
    async with stage.store.sagas.transaction() as sagas:
        (said,) = (await sagas.receipts([command.notification_id]))[command.notification_id]
    assert (said.channel, said.epoch, said.receipt, said.reason) == (EMAIL, 0, Receipt.FAILED, BOUNCED)


async def test_a_receipt_does_not_put_off_a_look_that_comes_earlier(stage: Stage) -> None:
    command = await stage.route()
    await stage.turn_clock(20)

    await keep(stage, about(command))

    assert 9 < (await stage.next_look_in(command.notification_id) or 0) <= 10


async def test_each_word_and_each_epoch_is_a_receipt_of_its_own(stage: Stage) -> None:
    command = await send(stage)

    answers = [
        await keep(stage, about(command, epoch=epoch), receipt)
        for epoch in (0, 1)
        for receipt in (Receipt.DELIVERED, Receipt.READ, Receipt.FAILED)
    ]

    assert answers == [True] * 6


async def test_a_receipt_for_what_does_not_exist_or_is_another_tenants_is_not_kept(stage: Stage) -> None:
    command = await send(stage)
    nobody = about(Command(uuid4(), 1, 0))

    answers = [await keep(stage, nobody, suppress=True), await keep(stage, about(command, tenant="other"))]

    async with stage.store.sagas.transaction() as sagas:
        assert await sagas.receipts([command.notification_id, nobody.notification_id]) == {}
    assert answers == [False, False]
    assert await stage.next_look_in(command.notification_id) is None


async def test_after_a_hard_bounce_nothing_more_is_sent_to_the_address(stage: Stage) -> None:
    command = await send(stage)

    await keep(stage, about(command), suppress=True)

    assert await withheld(stage) == "the address is suppressed"


async def test_a_soft_bounce_leaves_the_address_as_it_is(stage: Stage) -> None:
    command = await send(stage)

    await keep(stage, about(command))

    assert await withheld(stage) is None


@pytest.mark.parametrize("epoch", [1, -1])
async def test_the_bounce_of_another_epoch_suppresses_nothing(stage: Stage, epoch: int) -> None:
    command = await send(stage)

    await keep(stage, about(command, epoch=epoch), suppress=True)

    assert await withheld(stage) is None


async def test_who_has_another_address_meanwhile_is_not_suppressed_at_the_new_one(stage: Stage) -> None:
    command = await send(stage)
    await stage.store.directory.put_users(TENANT, [User(id=USER, email=f"new-{ADDRESS}")])

    await keep(stage, about(command), suppress=True)

    assert await withheld(stage) is None


async def test_an_inbox_of_ours_is_never_a_dead_address(stage: Stage) -> None:
    command = await stage.route(1, WEBSOCKET)
    await stage.claim(command, WEBSOCKET)

    is_new = await keep(stage, about(command, channel=WEBSOCKET), suppress=True)

    other = await stage.route(2, WEBSOCKET)
    assert (is_new, (await stage.claim(other, WEBSOCKET)).withheld) == (True, None)
