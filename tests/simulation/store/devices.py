"""The devices of people, in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from shared.outcomes import Device
from shared.store.devices import Devices
from tests.simulation.store.engine import Memory, Transaction
from tests.simulation.store.rows import DeviceRow


class MemoryDevices(Devices):
    """The room of devices."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def register(self, tenant: str, user_id: str, *, provider: str, token: str, platform: str = "") -> None:
        """Note a device; a token that was another user's is this one's from now on."""
        device = Device(provider=provider, token=token, registered_at=self._memory.now(), platform=platform)
        row = DeviceRow(user_id=user_id, device=device)
        await self._memory.run(lambda tx: tx.put(tx.memory.devices, (tenant, provider, token), row))

    async def remove(self, tenant: str, user_id: str, *, provider: str, token: str) -> bool:
        """Remove a device; return whether it was there."""
        return await self._memory.run(partial(_remove, (tenant, provider, token), user_id))

    async def of_user(self, tenant: str, user_id: str) -> list[Device]:
        """List the devices of a user, oldest registration first."""
        return await self._memory.run(lambda tx: devices_of(tx, tenant, user_id))


def devices_of(tx: Transaction, tenant: str, user_id: str) -> list[Device]:
    """Find the devices of a user, oldest registration first."""
    rows = tx.all(tx.memory.devices).items()
    found = [row.device for (owner, _, _), row in rows if owner == tenant and row.user_id == user_id and row.device]
    return sorted(found, key=lambda device: device.registered_at)


def address_of_devices(tx: Transaction, tenant: str, user_id: str) -> str | None:
    """Write all devices of a user as one text, as the real store does; None when there is none."""
    found = devices_of(tx, tenant, user_id)
    rows = [[one.provider, one.token, one.registered_at.isoformat(), one.platform] for one in found]
    return json.dumps(rows) if rows else None


def forget(dead: Sequence[tuple[str, Device]], tx: Transaction) -> None:
    """Delete registrations that a provider called dead, by (tenant, device), unless they were made again."""
    for tenant, device in dead:
        key = (tenant, device.provider, device.token)
        row = tx.get(tx.memory.devices, key) and tx.lock(tx.memory.devices, key)
        if row and row.device and row.device.registered_at == device.registered_at:
            tx.put(tx.memory.devices, key, row.but(device=None))


def _remove(key: tuple[str, str, str], user_id: str, tx: Transaction) -> bool:
    row = tx.get(tx.memory.devices, key) and tx.lock(tx.memory.devices, key)
    if not row or not row.device or row.user_id != user_id:
        return False
    tx.put(tx.memory.devices, key, row.but(device=None))
    return True
