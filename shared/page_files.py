"""Hand out the files that pages are made of. They never change while a process runs, so each is read once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from starlette.responses import Response

KINDS = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".json": "application/json"}


def page_file(path: Path, headers: Mapping[str, str]) -> Response:
    """Answer with a file. The path is one of ours: no part of a request's address ever becomes one."""
    return Response(_read(path), media_type=KINDS[path.suffix], headers=dict(headers))


@cache
def _read(path: Path) -> bytes:
    return path.read_bytes()
