"""What the tests of the doctor share: worlds to look at, and providers that answer as they are told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from infrastructure.doctor.findings import Look, Verdict, World
from shared.settings import Settings

OK, WARNING, FAULT = Verdict.OK, Verdict.WARNING, Verdict.FAULT
NOWHERE = "127.0.0.1:1"
SECRET = "the-SECRET"


def world(*, url: str = f"http://{NOWHERE}", key: str = "", is_url_said: bool = True, **said: Any) -> World:
    """A world with these settings, and no others."""
    return World(settings=Settings.model_validate(said), url=url, key=key, is_url_said=is_url_said)


async def found(look: Look, asked: World) -> dict[Verdict, str]:
    """Look, and put together what is found by how it is; whatever it is, no secret is in it."""
    findings = await look(asked)
    assert SECRET not in json.dumps([one.document() for one in findings])
    assert all(one.remedy for one in findings if one.verdict is FAULT)
    return {verdict: "; ".join(one.found for one in findings if one.verdict is verdict) for verdict in Verdict}


@dataclass
class Provider:
    """A provider that answers everything alike, and what it was asked."""

    url: str = ""
    status: int = 200
    document: Any = field(default_factory=dict)
    asked: list[web.Request] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        return web.json_response(self.document, status=self.status)


@asynccontextmanager
async def serving(one: Provider) -> AsyncIterator[Provider]:
    server = web.Application()
    server.router.add_route("*", "/{rest:.*}", one.answer)
    runner = web.AppRunner(server, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = "http://{}:{}".format(*runner.addresses[0])
    yield one
    await runner.cleanup()
