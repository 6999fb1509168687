"""Forgetting a person, over HTTP."""

from __future__ import annotations

import logging
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from functions.directory.documents import ErasureAnswer, ErasureStatus
from functions.directory.operations import ERASE_USER, GET_ERASURE
from functions.directory.reading import USER_ID, answer, read_path
from functions.directory.users import unknown_user
from shared.access import Caller
from shared.errors import Refused
from shared.operations import Operation
from shared.runtime import Resources
from shared.step import Handler
from shared.store.erasures import Erasure
from shared.telling import tell

FIRST_SETS = 5
"""So much is done before the answer: all of it, for most people. The sweep does the rest."""

log = logging.getLogger(__name__)


class ErasureRoutes:
    """Ask for it, and see how far it is."""

    def __init__(self, resources: Resources) -> None:
        self._erasures = resources.store.erasures
        self._metrics = resources.metrics

    async def erase(self, request: Request, caller: Caller) -> Response:
        """Forget a person; asked again while it is under way, it goes on."""
        asked = await self._erasures.ask(caller.tenant, read_path(request, "id", USER_ID))
        if asked is None:
            raise unknown_user()
        log.info("somebody is forgotten", extra={"tenant": caller.tenant, "erasure_id": str(asked.id)})
        for changes, now in await self._erasures.work(asked.id, most_sets=FIRST_SETS):
            tell(self._metrics, changes, now)
        return answer(_shown(await self._erasures.get(caller.tenant, asked.id) or asked), 202)

    async def get(self, request: Request, caller: Caller) -> Response:
        """Show how far it is."""
        found = await self._erasures.get(caller.tenant, _key(request))
        if found is None:
            raise _no_erasure()
        return answer(_shown(found))


def erasure_handlers(resources: Resources) -> dict[Operation, Handler]:
    """Say who does what."""
    erasing = ErasureRoutes(resources)
    return {ERASE_USER: erasing.erase, GET_ERASURE: erasing.get}


def _key(request: Request) -> UUID:
    try:
        return UUID(request.path_params["id"])
    except ValueError:
        raise _no_erasure() from None


def _no_erasure() -> Refused:
    return Refused(404, "Not found", "There is no erasure with this id.")


def _shown(erasure: Erasure) -> ErasureAnswer:
    return ErasureAnswer(
        id=erasure.id,
        status=ErasureStatus.FINISHED if erasure.finished_at else ErasureStatus.UNDER_WAY,
        requested_at=erasure.requested_at,
        finished_at=erasure.finished_at,
        notifications=erasure.notifications,
    )
