"""The console's pages as a browser gets them, and what their scripts must never do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from functions.console.serving import FRAME, FRAME_POLICY, NAMES, PAGES, POLICY
from shared import serve
from shared.page_files import KINDS
from shared.serve import App
from shared.store import Store
from tests.asgi import call, resources
from tests.integration.test_reference_over_http import Page

OTHERS = frozenset({"openapi.json", "docs.js", "docs.css", "docs.html", "console.html"})
SCRIPTS = sorted(name for name in NAMES if name.endswith(".js"))
READS_TEXT_AS_MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|setHTML|parseHTML|srcdoc"
)
RUNS_TEXT = re.compile(r"\beval\(|new Function\(|setTimeout\(\s*[\"'`]|javascript:|import\((?![\"'])")
IMPORT = re.compile(r'^import .*? from "([^"]+)";$|^import "([^"]+)";$', re.MULTILINE)


@pytest.fixture
def console() -> App:
    return serve.build("console", resources(Store("postgresql://nobody@127.0.0.1:1/nothing"), api_keys="acme:k-1"))


async def test_the_page_is_open_to_everybody_and_loads_only_what_is_served_beside_it(console: App) -> None:
    page = await call(console, "GET", "/")
    parsed = Page(page.body.decode())
    files = [name for name in parsed.loaded if not name.startswith("data:")]

    answers = [await call(console, "GET", name) for name in files]

    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert files == ["/console/console.css", "/console/views.css", "/console/app.js"]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert parsed.inline == []


def test_every_file_of_the_page_is_in_the_table_and_every_name_of_the_table_is_a_file() -> None:
    there = {path.name for path in PAGES.iterdir() if path.suffix in KINDS} - OTHERS

    assert set(NAMES) == there


@pytest.mark.parametrize("name", sorted(NAMES))
async def test_a_file_is_handed_out_as_what_it_is(console: App, name: str) -> None:
    answer = await call(console, "GET", f"/console/{name}")

    assert answer.status == 200
    assert answer.headers["content-type"] == f"{KINDS[Path(name).suffix]}; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["content-security-policy"] == (FRAME_POLICY if name == FRAME else POLICY)


async def test_the_page_may_load_nothing_from_elsewhere_and_stand_in_nobodys_frame(console: App) -> None:
    page = await call(console, "GET", "/")
    policy = dict(part.partition(" ")[::2] for part in page.headers["content-security-policy"].split("; "))

    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "frame-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert page.headers["x-frame-options"] == "DENY"


async def test_the_frame_has_no_origin_and_no_way_out_however_it_is_opened(console: App) -> None:
    frame = await call(console, "GET", f"/console/{FRAME}")
    policy = dict(part.partition(" ")[::2] for part in frame.headers["content-security-policy"].split("; "))

    assert policy["sandbox"] == "allow-scripts"
    assert policy["default-src"] == policy["form-action"] == policy["base-uri"] == "'none'"
    assert (policy["script-src"], policy["img-src"]) == ("'self'", "data:")
    assert "connect-src" not in policy
    assert policy["frame-ancestors"] == "'self'"


@pytest.mark.parametrize(
    "name", ["console.html", "openapi.json", "..%2fapi.py", "%2e%2e/api.py", "docs.js", "App.js", ""]
)
async def test_no_other_file_is_handed_out(console: App, name: str) -> None:
    answer = await call(console, "GET", f"/console/{name}")

    assert answer.status in (307, 404)
    assert answer.status == 307 or json.loads(answer.body)["status"] == 404


@pytest.mark.parametrize("path", ["/nowhere", "/console", "/consoles/app.js"])
async def test_an_unknown_address_is_still_answered_with_a_problem_document(console: App, path: str) -> None:
    answer = await call(console, "GET", path)

    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_a_method_that_a_page_does_not_take_is_a_problem_document(console: App) -> None:
    answer = await call(console, "POST", "/")

    assert (answer.status, answer.headers["content-type"]) == (405, "application/problem+json")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_imports_only_its_neighbours_reads_no_text_as_markup_and_runs_none(name: str) -> None:
    script = NAMES[name].read_text(encoding="utf-8")
    imported = [first or second for first, second in IMPORT.findall(script)]

    assert [one for one in imported if not (one.startswith("./") and one[2:] in NAMES)] == []
    assert READS_TEXT_AS_MARKUP.findall(script) == []
    assert RUNS_TEXT.findall(script) == []
    assert ("DOMParser" in script) == (name == "frame.js")
    assert "http://" not in script.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in script
    assert script.count("\n") <= 200


def test_a_key_is_kept_for_its_tab_alone() -> None:
    keeping = {name: NAMES[name].read_text(encoding="utf-8") for name in SCRIPTS}

    assert [name for name, script in keeping.items() if "sessionStorage." in script] == ["session.js"]
    assert [name for name, script in keeping.items() if "localStorage." in script] == ["theme.js"]
    assert [name for name, script in keeping.items() if "document.cookie" in script or "indexedDB" in script] == []
