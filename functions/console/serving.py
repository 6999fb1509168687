"""The console's pages: plain files, each by its name from one table, under policies that let in nothing from elsewhere.

No part of a request's address ever becomes a path. The page is its own scripts and styles and asks this API alone; the
frame shows what messages hold, and is a stranger to the page: it has no origin, no forms, no links and no network.
"""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from functions.console.page_operations import GET_CONSOLE, GET_CONSOLE_FILE
from shared.access import Caller
from shared.errors import Refused
from shared.operations import Operation
from shared.page_files import page_file
from shared.step import Handler

PAGES = Path(__file__).parent / "pages"
PAGE = "console.html"
FRAME = "frame.html"
SCRIPTS = (
    *("api.js", "app.js", "bytes.js", "charts.js", "controls.js", "dead_letter.js", "dead_letters.js", "dom.js"),
    *("dry_run.js", "find.js", "format.js", "frames.js", "icons.js", "mailbox.js", "notification.js", "now.js"),
    *("now_tables.js", "page.js", "previews.js", "replaying.js", "sandbox.js", "session.js", "stand_ins.js"),
    *("template.js", "templates.js", "theme.js", "timeline.js", "words.js", "frame.js"),
)
STYLES = ("console.css", "views.css")
NAMES = {name: PAGES / name for name in (*SCRIPTS, *STYLES, FRAME)}

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FRAME_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; sandbox allow-scripts; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
"""`sandbox` here, and not the attribute alone: the frame has no origin however it is opened."""

_EVERYWHERE = {
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
}
HEADERS = {**_EVERYWHERE, "Content-Security-Policy": POLICY, "X-Frame-Options": "DENY"}
FRAME_HEADERS = {**_EVERYWHERE, "Content-Security-Policy": FRAME_POLICY, "X-Frame-Options": "SAMEORIGIN"}


async def get_console(request: Request, caller: Caller) -> Response:
    """Show the page."""
    return page_file(PAGES / PAGE, HEADERS)


async def get_console_file(request: Request, caller: Caller) -> Response:
    """Hand out what the page is made of."""
    name = request.path_params["name"]
    if name not in NAMES:
        raise Refused(404, "Not found", "There is nothing at this address.")
    return page_file(NAMES[name], FRAME_HEADERS if name == FRAME else HEADERS)


def page_handlers() -> dict[Operation, Handler]:
    """Say who does what."""
    return {GET_CONSOLE: get_console, GET_CONSOLE_FILE: get_console_file}
