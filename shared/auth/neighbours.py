"""Whom an open API lets in: programs, and pages of its own address.

Where no key is asked for, every web page in the browser of whoever runs it could call, too: it can post to localhost,
open a WebSocket there, and by a name that it lets point here (DNS rebinding) read the answers. A browser says in each
request where it comes from: `Sec-Fetch-Site`, `Origin`, and in `Host` the name by which it has found us. A program that
says none of this is no browser, and is let in as ever.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from shared.errors import Refused
from shared.settings import Settings, is_loopback

ELSEWHERE = frozenset({"cross-site", "same-site"})
"""What `Sec-Fetch-Site` says of a page that is not ours. One of another port on this machine is on the same site."""

_SAYING = frozenset({b"sec-fetch-site", b"host", b"x-forwarded-host", b"origin"})
"""The headers by which a call is judged, and nothing else of it."""

MOST_REMEMBERED, LONGEST_REMEMBERED_BYTES = 1_000, 512

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Neighbours:
    """Tells our own pages from those of others, where the API is open."""

    def __init__(self, settings: Settings) -> None:
        self._public = _authority(settings.public_url or "")
        self._is_loopback = is_loopback(settings.host)
        self._passed: set[tuple[tuple[bytes, bytes], ...]] = set()  # what was said by those who were let in

    def check(self, connection: HTTPConnection) -> None:
        """Let a call pass that no page of somebody else has made. Who says the same as one before is not judged anew.

        Raises:
            Refused: 403, a browser says that one has.
        """
        said = tuple((name, value) for name, value in connection.scope["headers"] if name in _SAYING)
        if said in self._passed:
            return
        self._judge(connection.headers)
        if sum(len(value) for _, value in said) <= LONGEST_REMEMBERED_BYTES:
            if len(self._passed) >= MOST_REMEMBERED:
                self._passed.clear()
            self._passed.add(said)

    def _judge(self, headers: Headers) -> None:
        if headers.get("sec-fetch-site", "").strip().lower() in ELSEWHERE:
            raise _refused("A page of another site has made this call.")
        names = _names(headers)
        if self._is_loopback and not all(self._is_ours(name) for name in names):
            raise _refused("This machine was called by a name that is not its own.")
        for origin in headers.getlist("origin"):
            if _authority(origin) not in {*names, self._public} - {""}:
                raise _refused("A page of another address has made this call.")

    def _is_ours(self, name: str) -> bool:
        host = _without_port(name)
        return is_loopback(host) or host == _without_port(self._public) != ""


def _names(headers: Headers) -> list[str]:
    """List the names by which we were called, as a proxy of ours hands them on: all of them count."""
    said = ",".join([*headers.getlist("host"), *headers.getlist("x-forwarded-host")])
    return [_bare(name.strip().lower(), *_DEFAULT_PORTS.values()) for name in said.split(",") if name.strip()]


def _authority(url: str) -> str:
    """Read host and port of an address, or of an origin; empty where there is none, as in `null`."""
    try:
        parts = urlsplit(url.strip().lower())
    except ValueError:
        return ""
    return _bare(parts.netloc.rpartition("@")[2], _DEFAULT_PORTS.get(parts.scheme, ""))


def _bare(authority: str, *ports: str) -> str:
    """Leave out a port that goes without saying."""
    found = next((port for port in ports if port and authority.endswith(port)), "")
    return authority.removesuffix(found)


def _without_port(authority: str) -> str:
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]


def _refused(detail: str) -> Refused:
    return Refused(403, "Forbidden", f"{detail} Where the API is open, only programs and its own pages may: set keys.")
