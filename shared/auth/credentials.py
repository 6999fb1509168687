"""What a caller shows of itself: in a header, or where a browser can send none, in the only places it can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

SUBPROTOCOL = "carillon"
"""What the server answers to `new WebSocket(url, ["carillon", "bearer.TOKEN"])`: a browser wants one that it named."""

_BEARER_PROTOCOL = "bearer."


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown. A key must not stand in an address, which is written down everywhere: only a token may."""

    text: str = field(repr=False)
    may_be_key: bool = True


def shown(connection: HTTPConnection, *, may_be_in_address: bool = False) -> Shown:
    """Read what a caller shows; empty when it shows nothing. At a WebSocket it may always be in the address."""
    text = in_headers(connection.headers)
    if text or not (may_be_in_address or connection.scope["type"] == "websocket"):
        return Shown(text)
    offered = [one for one in connection.scope.get("subprotocols", ()) if one.startswith(_BEARER_PROTOCOL)]
    if offered:
        return Shown(offered[0].removeprefix(_BEARER_PROTOCOL), may_be_key=False)
    return Shown(connection.query_params.get("token", ""), may_be_key=False)


def in_headers(headers: Mapping[str, str]) -> str:
    """Read `Authorization: Bearer`, else `X-API-Key`."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
