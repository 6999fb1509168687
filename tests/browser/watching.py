"""What a page must never do, whoever looks at it: complain, open a dialog by itself, or call anybody else."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import BrowserContext, ConsoleMessage, Dialog, Page, Request

LOCAL_SCHEMES = frozenset({"data", "blob", "about"})
GRAVE = frozenset({"serious", "critical"})


@dataclass
class Watch:
    """Notes what happens in all pages of a context. `expected` are patterns of console errors that a test brings about.

    A browser writes a console error for each answer of 400 and above, and for each connection that is cut.
    """

    host: str
    expected: list[str] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)
    page_errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    @classmethod
    def over(cls, context: BrowserContext, url: str) -> Watch:
        """Watch a context that may talk to one host alone."""
        watch = cls(urlsplit(url).netloc)
        context.on("request", watch._on_request)
        context.on("console", watch._on_console)
        context.on("weberror", lambda error: watch.page_errors.append(str(error.error)))
        context.on("dialog", watch._on_dialog)
        return watch

    def complaints(self) -> list[str]:
        """List everything that must not have happened."""
        unexpected = [
            text for text in self.console_errors if not any(re.search(pattern, text) for pattern in self.expected)
        ]
        return [*unexpected, *self.page_errors, *self.dialogs, *self.strangers]

    def _on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in LOCAL_SCHEMES and parts.netloc != self.host:
            self.strangers.append(f"a request to {request.url}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.console_errors.append(message.text)

    async def _on_dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(f"a dialog: {dialog.message}")
        await dialog.dismiss()


async def grave_faults(page: Page) -> list[str]:
    """List what axe-core finds serious or critical in a page, with the places."""
    found = await Axe().run(page)
    violations = found.response["violations"]
    return [
        f"{one['id']}: {one['help']} at {', '.join(str(node['target']) for node in one['nodes'])}"
        for one in violations
        if one["impact"] in GRAVE
    ]
