"""The API's description: the specification, and a page that shows it and tries it out.

The page is Swagger UI as a wheel carries it, so it works without the internet. It is served with a policy that lets it
load nothing from elsewhere and run no script but its own two files.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from functions.console.operations import GET_DOCS, GET_DOCS_FILE, GET_OPENAPI
from shared.access import Caller
from shared.errors import Refused
from shared.operations import Operation
from shared.page_files import page_file
from shared.step import Handler

PAGES = Path(__file__).parent / "pages"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
OURS = frozenset({"docs.css", "docs.js"})
SWAGGER_UI = frozenset({"swagger-ui-bundle.js", "swagger-ui.css"})


class Reference:
    """Serves files that never change while a process runs."""

    async def openapi(self, request: Request, caller: Caller) -> Response:
        """Show the specification."""
        return page_file(PAGES / "openapi.json", HEADERS)

    async def docs(self, request: Request, caller: Caller) -> Response:
        """Show the page."""
        return page_file(PAGES / "docs.html", HEADERS)

    async def docs_file(self, request: Request, caller: Caller) -> Response:
        """Hand out what the page is made of."""
        name = request.path_params["name"]
        if name in OURS:
            return page_file(PAGES / name, HEADERS)
        if name in SWAGGER_UI:
            return page_file(swagger_ui() / name, HEADERS)
        raise Refused(404, "Not found", "There is nothing at this address.")


def reference_handlers() -> dict[Operation, Handler]:
    """Say who does what."""
    reference = Reference()
    return {
        GET_OPENAPI: reference.openapi,
        GET_DOCS: reference.docs,
        GET_DOCS_FILE: reference.docs_file,
    }


def swagger_ui() -> Path:
    """Find the wheel's files, without importing the package: it brings frameworks along that nobody here needs."""
    found = importlib.util.find_spec("swagger_ui")
    assert found is not None
    assert found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0]) / "static"
