"""Ask a provider something harmless."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from infrastructure.doctor.findings import Finding, fault
from shared.http_call import Fault, Http, Reply, Silence

SECONDS = 8.0

_SILENCES = {
    Fault.TIMEOUT: "there was no answer in time",
    Fault.TLS: "TLS failed, or its certificate is not trusted",
    Fault.UNKNOWN_HOST: "the host is not known",
    Fault.UNREACHABLE: "nothing listens there",
    Fault.LOST: "the connection was cut",
    Fault.GARBLED: "what answers speaks no HTTP",
}


def seconds_from_now(seconds: float = SECONDS) -> float:
    """Name a moment on the loop's clock."""
    return asyncio.get_running_loop().time() + seconds


async def get(url: str, headers: Mapping[str, str]) -> Reply | Silence:
    """Make one GET."""
    http = Http(1)
    try:
        return await http.ask("GET", url, seconds_from_now(), headers=headers)
    finally:
        await http.close()


def unreachable(about: str, name: str, silence: Silence) -> Finding:
    """Tell that there was no answer."""
    why = next((words for word, words in _SILENCES.items() if word == silence.word), silence.word)
    return fault(about, f"{name} cannot be asked: {why}", "is the way there open from here?")
