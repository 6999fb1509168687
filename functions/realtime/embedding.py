"""The inbox for web pages: one ES module that any page may load, and a page that shows it.

The page is served with a policy under which nothing can be loaded from elsewhere, no script runs but its own files, and
no text can become markup.
"""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from functions.realtime.operations import GET_COMPONENT, GET_DEMO, GET_DEMO_FILE
from shared.access import Caller
from shared.errors import Refused
from shared.operations import Operation
from shared.page_files import page_file
from shared.step import Handler

PAGES = Path(__file__).parent / "pages"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS = {"Cache-Control": "no-cache", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
PAGE_HEADERS = {**HEADERS, "Content-Security-Policy": POLICY}
MODULE_HEADERS = {**HEADERS, "Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
"""A module of another origin is only loaded with leave; there is nothing in it that is not public."""
DEMO_FILES = frozenset({"demo.css", "demo.js"})


class Embedding:
    """Serves files that never change while a process runs."""

    async def component(self, request: Request, caller: Caller) -> Response:
        """Hand out the module."""
        return page_file(PAGES / "carillon-inbox.js", MODULE_HEADERS)

    async def demo(self, request: Request, caller: Caller) -> Response:
        """Show the page."""
        return page_file(PAGES / "demo.html", PAGE_HEADERS)

    async def demo_file(self, request: Request, caller: Caller) -> Response:
        """Hand out what the page is made of."""
        name = request.path_params["name"]
        if name not in DEMO_FILES:
            raise Refused(404, "Not found", "There is nothing at this address.")
        return page_file(PAGES / name, PAGE_HEADERS)


def embedding_handlers() -> dict[Operation, Handler]:
    """Say who does what."""
    embedding = Embedding()
    return {GET_COMPONENT: embedding.component, GET_DEMO: embedding.demo, GET_DEMO_FILE: embedding.demo_file}
