"""Every function of the manifests in this process, and the sources or Triggers that feed them."""

from __future__ import annotations

from contextlib import AsyncExitStack

from infrastructure.local.applications import AsgiApp
from infrastructure.local.functions import open_functions, started
from infrastructure.local.knative_broker import KnativeBroker
from infrastructure.local.records import Manifests, Route
from infrastructure.local.running_sources import Sources
from infrastructure.local.targets import AsgiTarget
from infrastructure.sandbox.operations import PREFIX as SANDBOX_PREFIX
from shared.settings import Settings

LOCAL_ROUTES = (Route(prefix="/metrics", service="ingest"), Route(prefix=SANDBOX_PREFIX, service="sandbox"))
"""What only this runtime serves at its public address: on a cluster metrics are scraped from each pod."""


async def in_one_process(settings: Settings, known: Manifests, stack: AsyncExitStack) -> dict[str, AsgiApp]:
    """Open the functions and start their sources; return what answers over HTTP, by the name of its service."""
    broker = KnativeBroker(known.triggers)
    if known.broker is not None:
        settings = settings.model_copy(update={"k_sink": await broker.listen(stack)})
    functions = await open_functions(settings, list(known.services), stack)
    targets = {
        name: AsgiTarget(app, timeout_seconds=known.services[name].timeout_seconds)
        for name, app in functions.apps.items()
    }
    sources = Sources(known, functions.broker, targets)
    await started(stack, sources.start, sources.stop)
    await broker.deliver(targets, stack)
    return dict(functions.apps)
