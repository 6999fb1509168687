"""The API's description as clients and browsers get it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from functions.console.reference import POLICY
from shared import serve
from shared.serve import App
from shared.store import Store
from tests.asgi import call, resources


@pytest.fixture
def console() -> App:
    return serve.build("console", resources(Store("postgresql://nobody@127.0.0.1:1/nothing"), api_keys="acme:k-1"))


class Page(HTMLParser):
    """What a page loads, and what of it is inline."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self._inside = tag
        if tag in ("script", "link", "img", "iframe"):
            self.loaded.append(named.get("src") or named.get("href") or "")
        self.inline += [name for name in named if name.startswith("on") or name == "style"]

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style") and data.strip():
            self.inline.append(data)


async def test_the_specification_is_open_to_everybody_and_describes_what_is_there(console: App) -> None:
    answer = await call(console, "GET", "/openapi.json")

    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.document["openapi"].startswith("3.1")
    assert "/events" in answer.document["paths"]


async def test_the_page_loads_only_what_is_served_beside_it(console: App) -> None:
    page = await call(console, "GET", "/docs")
    parsed = Page(page.body.decode())
    files = [name for name in parsed.loaded if not name.startswith("data:")]

    answers = [await call(console, "GET", name) for name in files]

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert len(files) == 4
    assert all(name.startswith("/docs/") for name in files)
    assert [answer.status for answer in answers] == [200] * len(files)
    assert {answer.headers["content-type"].partition(";")[0] for answer in answers} == {"text/css", "text/javascript"}
    assert parsed.inline == []


async def test_everything_is_served_with_a_policy_that_lets_in_nothing_from_elsewhere(console: App) -> None:
    for path in ("/docs", "/docs/docs.js", "/docs/swagger-ui-bundle.js", "/openapi.json"):
        assert (await call(console, "GET", path)).headers["content-security-policy"] == POLICY

    sources = [part.split()[1:] for part in POLICY.split("; ")]
    assert POLICY.startswith("default-src 'none'")
    assert {source for part in sources for source in part} == {"'none'", "'self'", "data:"}


async def test_swagger_ui_is_one_that_reads_openapi_3_1(console: App) -> None:
    bundle = (await call(console, "GET", "/docs/swagger-ui-bundle.js")).body.decode()

    (version,) = re.findall(r'PACKAGE_VERSION:"(\d+)\.', bundle)
    assert int(version) >= 5


@pytest.mark.parametrize("name", ["index.html", "..%2fopenapi.json", "%2e%2e/api.py", "swagger-ui.js", ""])
async def test_no_other_file_is_handed_out(console: App, name: str) -> None:
    answer = await call(console, "GET", f"/docs/{name}")

    assert answer.status in (307, 404)
    assert answer.status == 307 or json.loads(answer.body)["status"] == 404
