"""A client of the API, which goes elsewhere when nobody answers."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

REQUEST_SECONDS = 10.0
AVOIDED_SECONDS = 3.0
SHUNNED = frozenset({502, 503, 504})


class NoAnswer(Exception):
    """Nobody answered, or only to say "later"."""


class Client:
    """HTTP to the functions, each at its own addresses, in turn; one that did not answer is left alone for a while."""

    def __init__(self, addresses: Mapping[str, Sequence[str]], http: aiohttp.ClientSession) -> None:
        self.http = http
        self._addresses = addresses
        self._turn = itertools.count()
        self._avoided: dict[str, float] = {}

    async def ask(
        self,
        function: str,
        method: str,
        path: str,
        *,
        document: Any = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = REQUEST_SECONDS,
    ) -> tuple[int, Any]:
        """Ask once; return the status and the document.

        Raises:
            NoAnswer: no connection, no answer in time, or 502, 503, 504.
        """
        address = self.address(function)
        limit = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self.http.request(
                method, address + path, json=document, headers=headers, timeout=limit
            ) as answer:
                if answer.status not in SHUNNED:
                    return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, OSError, ValueError):  # a timeout is an OSError; half an answer is no JSON
            pass
        self._avoided[address] = time.monotonic() + AVOIDED_SECONDS
        raise NoAnswer(function)

    async def insist(self, function: str, method: str, path: str, document: Any = None) -> Any:
        """Ask until there is an answer of 200.

        Raises:
            NoAnswer: there was another one.
        """
        while True:
            try:
                status, answer = await self.ask(function, method, path, document=document)
            except NoAnswer:
                await asyncio.sleep(0.2)
                continue
            if status != 200:
                raise NoAnswer(f"{method} {path} was answered {status}: {answer}")
            return answer

    def address(self, function: str) -> str:
        """Choose where to ask."""
        known, now = self._addresses[function], time.monotonic()
        fit = [address for address in known if self._avoided.get(address, 0.0) < now] or known
        return fit[next(self._turn) % len(fit)]
