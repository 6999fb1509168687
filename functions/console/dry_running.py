"""Dry runs over HTTP: what a replay would do now. Everything is read in one snapshot, and nothing can be written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from functions.console.dry_run_documents import DryRunDocument, DryRunRefused, DryRuns, DryRunsAsked
from functions.console.foresight import Circumstances, Prospect, foresee, nothing, routed, started_over
from functions.console.letter_operations import DRY_RUN, DRY_RUN_MANY
from functions.console.letters import letter_id, unknown_letter
from shared.access import Caller
from shared.folding import joining, template_key
from shared.operations import Operation
from shared.problem_document import Problem
from shared.problems import problem
from shared.provider_names import named_lines
from shared.requests import read_document
from shared.runtime import Resources
from shared.saga import Saga
from shared.statuses import Channel
from shared.step import Handler
from shared.store.facts import Facts
from shared.store.snapshots import Snapshot

HOLDS_NOTHING = "it holds bytes and no notification: there is nothing to start over"
GONE = "its notification is not there any more"


class DryRunRoutes:
    """Of one, and of many."""

    def __init__(self, resources: Resources) -> None:
        self._snapshots = resources.store.snapshots
        self._served = resources.settings.served()
        self._lines = named_lines(resources.settings)

    async def one(self, request: Request, caller: Caller) -> Response:
        """Tell what one replay would do."""
        key = letter_id(request)
        found = (await self._run(caller.tenant, [key])).get(key)
        if found is None:
            raise unknown_letter()
        return _answer(found)

    async def many(self, request: Request, caller: Caller) -> Response:
        """Tell what each replay would do, in their order."""
        keys = (await read_document(request, DryRunsAsked)).ids
        found = await self._run(caller.tenant, list(dict.fromkeys(keys)))
        return _answer(DryRuns(results=[found.get(key) or _unknown(key) for key in keys]))

    async def _run(self, tenant: str, keys: Sequence[UUID]) -> dict[UUID, DryRunDocument]:
        async with self._snapshots.look(tenant) as look:
            letters = await look.letters(keys)
            ids = [notification for status, notification in letters.values() if notification and status == "open"]
            sagas = await look.sagas(ids)
            facts = await look.facts(list(sagas))
            circumstances = await self._circumstances(look, facts)
            prospects = await _prospects(look, letters, sagas, facts, circumstances)
        told = {}
        for key, (status, notification) in letters.items():
            if key in prospects:
                told[key] = foresee(prospects[key], circumstances)
                await asyncio.sleep(0)  # a hundred templates are not to hold up everybody else
            else:
                told[key] = nothing(key, notification, _why_nothing(status, notification))
        return told

    async def _circumstances(self, look: Snapshot, facts: Mapping[UUID, Facts]) -> Circumstances:
        return Circumstances(
            now=look.now,
            served=self._served,
            lines=self._lines,
            breakers=await look.breakers(),
            policy=await look.policy(),
            taken=await look.places({one.user_id for one in facts.values()}),
        )


async def _prospects(
    look: Snapshot,
    letters: Mapping[UUID, tuple[str, UUID | None]],
    sagas: Mapping[UUID, Saga],
    facts: Mapping[UUID, Facts],
    circumstances: Circumstances,
) -> dict[UUID, Prospect]:
    """Read what each saga would meet, beyond what holds for all."""
    ids = list(sagas)
    fresh = {key: one for key, saga in sagas.items() if (one := started_over(saga, look.now)) and key in facts}
    wanted = {key: found.key for key, saga in fresh.items() if (found := joining(saga, facts[key], look.now))}
    windows = await look.windows(set(wanted.values()))
    written = {key: template_key(routed(saga, facts[key], circumstances)) for key, saga in fresh.items()}
    templates = await look.templates({key for key in written.values() if key})
    addresses, tried, superseded = await look.addresses(ids), await look.tried(ids), await look.superseded(ids)
    prospects = {}
    for letter, (status, key) in letters.items():
        if status != "open" or key is None or key not in facts:
            continue
        version = written.get(key)
        prospects[letter] = Prospect(
            letter_id=letter,
            saga=sagas[key],
            facts=facts[key],
            addresses=addresses.get(key, {}),
            tried={channel: tried[key, channel] for channel in Channel if (key, channel) in tried},
            is_superseded=key in superseded,
            closes_at=windows.get(wanted[key]) if key in wanted else None,
            stored=templates.get(version) if version else None,
        )
    return prospects


def dry_run_handlers(resources: Resources) -> dict[Operation, Handler]:
    """Say who does what."""
    dry_runs = DryRunRoutes(resources)
    return {DRY_RUN_MANY: dry_runs.many, DRY_RUN: dry_runs.one}


def _why_nothing(status: str, notification: UUID | None) -> str:
    if status != "open":
        return f"it is {status} already"
    return HOLDS_NOTHING if notification is None else GONE


def _unknown(key: UUID) -> DryRunRefused:
    return DryRunRefused(id=key, problem=Problem.model_validate(problem(unknown_letter())))


def _answer(document: DryRunDocument | DryRuns) -> Response:
    """Answer with words and addresses: no cache keeps them."""
    return Response(
        document.model_dump_json(exclude_unset=True),
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
