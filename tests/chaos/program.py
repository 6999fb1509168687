"""One run: in calm first, then under strikes; then everything is waited for, and judged."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.chaos import story
from tests.chaos.audit import Document, Evidence, Findings, count_mails, judge
from tests.chaos.bystanders import Bystanders
from tests.chaos.conductor import Conductor
from tests.chaos.endings import Endings
from tests.chaos.load import Load, Posted
from tests.chaos.people import chosen
from tests.chaos.plan import Size, plan
from tests.chaos.settling import Reader
from tests.chaos.world import World, running

Say = Callable[[str], None]

STUCK_SECONDS = 120.0
CALM_SECONDS = 60.0
CALLS_END_SECONDS = 25.0
"""So long after it was let go a process may still finish a call that it had begun: the deadline is 20 s."""
EARS_SECONDS = 20.0


class Run:
    """A run over one world."""

    def __init__(self, world: World, size: Size, seed: int, say: Say) -> None:
        self.documents: dict[str, Document] = {}
        self._world = world
        self._size = size
        self._seed = seed
        self._say = say
        self._kinds = chosen(size.longest_wait_seconds)
        self._bystanders = Bystanders(world.client, self._kinds)

    async def run(self) -> dict[str, Findings]:
        """Do all of it."""
        await self._bystanders.settle_in()
        try:
            calm = await self._calm()
            struck = await self._struck()
        finally:
            await self._bystanders.leave()
        return {"in calm": calm, "under strikes": struck}

    async def _calm(self) -> Findings:
        # A cut puts the mails of the same write in doubt, whoever they are for: it is a strike, if a small one.
        kinds = [kind for kind in chosen(self._size.longest_calm_wait_seconds) if kind.is_honest]
        load = Load(self._world.client, kinds, "calm", Random(self._seed))
        load.is_enough.set()
        await load.run(self._size.calm_notifications, 2 * self._size.per_second)
        await load.answered(CALM_SECONDS)
        findings = await self._judged(load, time.monotonic() + CALM_SECONDS, is_calm=True)
        self._say(f"in calm: {findings.counts['ended']} of {len(load.posted)} ended")
        return findings

    async def _struck(self) -> Findings:
        load = Load(self._world.client, self._kinds, "struck", Random(self._seed))
        conductor = Conductor(self._world, load, self._size, self._seed, self._say)
        loading = asyncio.create_task(load.run(self._size.notifications, self._size.per_second))
        try:
            count = await conductor.conduct(plan(self._size, self._seed))
            deadline = time.monotonic() + STUCK_SECONDS
            load.is_enough.set()
            await loading
            self._say(f"{count} strikes have fallen; {len(load.posted)} posted; waiting for the last to end")
            await load.answered(STUCK_SECONDS)
        finally:
            loading.cancel()
            load.give_up()
            conductor.close()
        await asyncio.sleep(max(conductor.last_let_go_at + CALLS_END_SECONDS - time.monotonic(), 0))
        return await self._judged(load, deadline, is_calm=False)

    async def _judged(self, load: Load, deadline: float, *, is_calm: bool) -> Findings:
        reader = Reader(self._world.client)
        await reader.until_ended(load.posted, deadline)
        await self._ears_catch_up(reader, load.posted)
        mails = count_mails(mail.raw for mail in self._world.smtp.mailbox.newest(self._world.smtp.mailbox.total))

        def findings() -> Findings:
            evidence = Evidence(
                posted=load.posted,
                documents=reader.documents,
                mails=mails,
                heard=self._bystanders.heard(),
                is_calm=is_calm,
            )
            return judge(evidence)

        first = findings()
        self.documents = reader.documents
        await reader.read([offence.posted.id for offence in first.offences if offence.posted.id])
        return findings()  # what was recorded after it was first read counts

    async def _ears_catch_up(self, reader: Reader, posted: list[Posted]) -> None:
        expected = {
            one.id
            for one in posted
            for delivery in reader.documents.get(one.id, {"deliveries": []})["deliveries"]
            if delivery["channel"] == "websocket" and delivery["status"] == "sent"
        }
        deadline = time.monotonic() + EARS_SECONDS
        while not expected <= self._bystanders.heard().keys() and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.5)


async def chaos(size: Size, seed: int, say: Say, logs: Path | None = None) -> bool:
    """Run, tell, and return whether every promise was kept."""
    started = time.monotonic()
    say(f"seed {seed}: {size.strikes} strikes over {size.notifications} notifications")
    async with running(logs) as world:
        say(f"{time.monotonic() - started:.0f} s: all processes are ready")
        run = Run(world, size, seed, say)
        with Endings() as endings:
            findings = await run.run()
        if logs:
            (logs / "notifications.json").write_text(json.dumps(run.documents, indent=1))
        for line in (*story.table(findings), *story.endings(findings["under strikes"])):
            say(line)
        say(f"processes that ended though nobody killed them: {', '.join(endings.unstruck) or 'none'}")
        offences = sum(len(found.offences) for found in findings.values())
        for found in findings.values():
            for line in story.stories(found):
                say(line)
    verdict = f"{offences} BREACHES" if offences else "every promise was kept"
    say(f"{time.monotonic() - started:.0f} s, seed {seed}: {verdict}")
    return not offences
