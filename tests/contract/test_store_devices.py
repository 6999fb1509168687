"""The devices of people, in Postgres and in memory; and what is deleted when a provider calls one dead."""

from __future__ import annotations

from dataclasses import replace

from shared.outcomes import Device
from shared.saga import Why
from shared.statuses import Channel, OutcomeKind
from shared.store.claims import Recorded
from shared.store.devices import read_address
from tests.contract.stage import TENANT, USER, Stage, outcome
from tests.world import claims_of

PUSH = Channel.PUSH


async def register(stage: Stage, token: str, user: str = USER, *, provider: str = "fcm", tenant: str = TENANT) -> None:
    await stage.store.devices.register(tenant, user, provider=provider, token=token, platform="android")


async def tokens(stage: Stage, user: str = USER, tenant: str = TENANT) -> list[str]:
    return [device.token for device in await stage.store.devices.of_user(tenant, user)]


async def attempt(stage: Stage) -> tuple[tuple[Device, ...], Recorded]:
    """Claim a push message; return the devices that it goes to, and a record of it that only lacks its outcome."""
    command = await stage.route(1, PUSH)
    (claim,) = claims_of(await stage.store.claims.claim(PUSH, [command]))
    assert claim.token is not None
    assert claim.address is not None
    what = outcome(OutcomeKind.PERMANENT)
    record = Recorded(command=command, token=claim.token, tenant=TENANT, outcome=what, took_seconds=0.1, user_id=USER)
    return read_address(claim.address), record


async def test_devices_are_listed_by_their_registration_and_by_whose_they_are(stage: Stage) -> None:
    await register(stage, "first")
    await register(stage, "second", provider="onesignal")
    await register(stage, "first", "2", tenant="other")

    found = await stage.store.devices.of_user(TENANT, USER)

    assert [(one.provider, one.token, one.platform) for one in found] == [
        ("fcm", "first", "android"),
        ("onesignal", "second", "android"),
    ]
    assert found[0].registered_at < found[1].registered_at
    assert (await tokens(stage, "2"), await tokens(stage, "2", "other")) == ([], ["first"])


async def test_a_token_that_is_registered_again_moves_to_the_newer_user(stage: Stage) -> None:
    await register(stage, "phone")
    (before,) = await stage.store.devices.of_user(TENANT, USER)

    await register(stage, "phone", "2")

    (after,) = await stage.store.devices.of_user(TENANT, "2")
    assert await tokens(stage) == []
    assert after.registered_at > before.registered_at


async def test_a_device_is_removed_once_and_only_by_its_user(stage: Stage) -> None:
    await register(stage, "phone")

    others = await stage.store.devices.remove(TENANT, "2", provider="fcm", token="phone")
    elsewhere = await stage.store.devices.remove(TENANT, USER, provider="onesignal", token="phone")
    first, again = [await stage.store.devices.remove(TENANT, USER, provider="fcm", token="phone") for _ in range(2)]

    assert (others, elsewhere, first, again) == (False, False, True, False)
    assert await tokens(stage) == []


async def test_a_claim_hands_out_every_device(stage: Stage) -> None:
    await register(stage, "phone")
    await register(stage, "tablet", provider="onesignal")

    devices, _ = await attempt(stage)

    assert list(devices) == await stage.store.devices.of_user(TENANT, USER)


async def test_who_has_no_device_has_no_address_for_push(stage: Stage) -> None:
    command = await stage.route(1, PUSH)

    (claim,) = claims_of(await stage.store.claims.claim(PUSH, [command]))

    assert claim.withheld == Why.NO_ADDRESS


async def test_a_dead_device_is_deleted_with_the_record_of_the_attempt(stage: Stage) -> None:
    await register(stage, "dead")
    await register(stage, "alive")
    devices, record = await attempt(stage)

    await stage.store.claims.record(PUSH, [_saying_dead(record, devices[0])])

    assert await tokens(stage) == ["alive"]


async def test_a_device_that_was_registered_again_meanwhile_survives(stage: Stage) -> None:
    await register(stage, "phone")
    devices, record = await attempt(stage)
    await register(stage, "phone", "2")

    await stage.store.claims.record(PUSH, [_saying_dead(record, devices[0])])

    assert await tokens(stage, "2") == ["phone"]


async def test_a_device_of_another_tenant_with_the_same_token_survives(stage: Stage) -> None:
    await register(stage, "phone")
    await register(stage, "phone", tenant="other")
    devices, record = await attempt(stage)

    await stage.store.claims.record(PUSH, [_saying_dead(record, devices[0])])

    assert (await tokens(stage), await tokens(stage, tenant="other")) == ([], ["phone"])


def _saying_dead(record: Recorded, device: Device) -> Recorded:
    return replace(record, outcome=outcome(OutcomeKind.PERMANENT, dead_devices=(device,)))
