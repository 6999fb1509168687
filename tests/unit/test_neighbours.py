"""Who may call an API that is open: programs, and pages of its own address; no page of somebody else."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import HTTPConnection

from infrastructure.sandbox.mailbox import Mailbox
from infrastructure.sandbox.routes import sandbox_app
from shared.access import Access
from shared.auth import Keys
from shared.auth import neighbours as module
from shared.auth.neighbours import Neighbours
from shared.errors import Refused
from shared.operations import Operation
from shared.settings import Settings
from tests.asgi import call
from tests.unit.test_operations import gate_of, operation

OURS = "localhost:8000"


def connection(headers: dict[str, str], kind: str = "http") -> HTTPConnection:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection({"type": kind, "headers": raw, "path_params": {}, "query_string": b""})


def is_let_in(headers: dict[str, str], **settings: Any) -> bool:
    options = {"api_keys": None, "host": "127.0.0.1", **settings}
    try:
        Neighbours(Settings(**options)).check(connection(headers))
    except Refused as refused:
        return refused.status != 403
    return True


LET_IN = {
    "a program, which says nothing": {},
    "a program that names the machine": {"host": OURS},
    "our own page": {"host": OURS, "sec-fetch-site": "same-origin", "origin": f"http://{OURS}"},
    "our own page, by number": {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"},
    "our own page, by the other number": {"host": "[::1]:8000", "origin": "http://[::1]:8000"},
    "our own page on the port that goes without saying": {"host": "localhost:80", "origin": "http://localhost"},
    "an address that somebody types": {"host": OURS, "sec-fetch-site": "none"},
    "our own page behind our proxy": {
        "host": "127.0.0.1:41234", "x-forwarded-host": OURS, "origin": f"http://{OURS}",
        "sec-fetch-site": "same-origin",
    },
}  # fmt: skip
REFUSED = {
    "a page of another site": {"host": OURS, "sec-fetch-site": "cross-site", "origin": "https://evil.test"},
    "a page of another site that follows a link": {
        "host": OURS, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate",
    },
    "a page of another port": {"host": OURS, "sec-fetch-site": "same-site", "origin": "http://localhost:3000"},
    "a page of an old browser": {"host": OURS, "origin": "https://evil.test"},
    "a page of another port in an old browser": {"host": OURS, "origin": "http://localhost:3000"},
    "a page of the other name": {"host": OURS, "origin": "http://127.0.0.1:8000"},
    "a page whose name begins like ours": {"host": OURS, "origin": "http://localhost:8000.evil.test"},
    "a page with our name before an @": {"host": OURS, "origin": "http://localhost:8000@evil.test"},
    "a page of nowhere": {"host": OURS, "origin": "null"},
    "a page that is no address": {"host": OURS, "origin": "http://[::1"},
    "a page of the port that goes without saying for another scheme": {
        "host": "localhost", "origin": "http://localhost:443",
    },
    "a name that points here": {"host": "evil.test:8000", "sec-fetch-site": "same-origin"},
    "a name that points here, with its origin": {"host": "evil.test:8000", "origin": "http://evil.test:8000"},
    "a name that begins like ours": {"host": "localhost.evil.test"},
    "a name that begins like a number of ours": {"host": "127.0.0.1.evil.test:8000"},
    "a name that points here and says that it is ours": {"host": "evil.test", "x-forwarded-host": OURS},
    "a name that points here, through our proxy": {"host": "127.0.0.1:41234", "x-forwarded-host": "evil.test:8000"},
    "a name that says behind our proxy that it is ours": {
        "host": "127.0.0.1:41234", "x-forwarded-host": f"{OURS}, evil.test:8000",
    },
}  # fmt: skip


@pytest.mark.parametrize("who", LET_IN)
def test_programs_and_our_own_pages_are_let_in(who: str) -> None:
    assert is_let_in(LET_IN[who])


@pytest.mark.parametrize("who", REFUSED)
def test_a_page_of_somebody_else_is_not(who: str) -> None:
    assert not is_let_in(REFUSED[who])


def test_whom_one_remembers_says_nothing_for_others() -> None:
    neighbours = Neighbours(Settings(api_keys=None, host="127.0.0.1"))

    for _ in range(2):
        for headers in LET_IN.values():
            neighbours.check(connection(headers))
        for headers in REFUSED.values():
            with pytest.raises(Refused):
                neighbours.check(connection(headers))


def test_no_more_is_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_REMEMBERED", 3)
    neighbours = Neighbours(Settings(api_keys=None, host="0.0.0.0", api_open=True))

    for number in range(20):
        neighbours.check(connection({"host": f"{number}.test"}))
        neighbours.check(connection({"host": f"{number}.{'long' * 200}.test"}))

    assert len(neighbours._passed) <= 3


def test_the_public_address_is_a_name_of_ours() -> None:
    public = "https://notify.example.test/carillon"
    called = {"host": "notify.example.test", "origin": "https://notify.example.test"}

    assert is_let_in(called, public_url=public)
    assert is_let_in({**called, "host": OURS}, public_url=public)
    assert not is_let_in(called)
    assert not is_let_in({**called, "origin": "https://evil.test"}, public_url=public)


def test_where_it_listens_for_others_too_every_name_is_good_but_no_other_page() -> None:
    wide = {"host": "0.0.0.0", "api_open": True}

    assert is_let_in({"host": "carillon.lan:8000", "origin": "http://carillon.lan:8000"}, **wide)
    assert not is_let_in({"host": "carillon.lan:8000", "origin": "https://evil.test"}, **wide)
    assert not is_let_in({"host": "carillon.lan:8000", "sec-fetch-site": "cross-site"}, **wide)


EVERY_KIND = [
    pytest.param(operation(access, method), id=f"{method} {access}")
    for access in Access
    if access is not Access.PUBLIC
    for method in ("GET", "POST")
]


@pytest.mark.parametrize("asked", EVERY_KIND)
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_the_gate_asks_before_every_operation_that_is_not_public(asked: Operation, kind: str) -> None:
    gate = gate_of(Settings(api_keys=None, host="127.0.0.1"))

    with pytest.raises(Refused) as refused:
        await gate.admit(connection(REFUSED["a page of another site"], kind), asked)
    caller = await gate.admit(connection(LET_IN["our own page"], kind), asked)

    assert refused.value.status == 403
    assert caller.tenant == "default"


async def test_what_is_public_can_be_linked_to_from_anywhere() -> None:
    gate = gate_of(Settings(api_keys=None, host="127.0.0.1"))
    following = {"host": OURS, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}

    caller = await gate.admit(connection(following), operation(Access.PUBLIC))

    assert caller.scopes == frozenset()


async def test_where_a_key_is_asked_for_the_key_is_what_counts() -> None:
    gate = gate_of(Settings(api_keys="acme:first-key", host="127.0.0.1"))
    shown = {**REFUSED["a page of another site"], "x-api-key": "first-key"}

    assert (await gate.admit(connection(shown), operation(Access.READ))).tenant == "acme"


async def test_a_refusal_is_counted() -> None:
    gate = gate_of(Settings(api_keys=None, host="127.0.0.1"))

    with pytest.raises(Refused):
        await gate.admit(connection(REFUSED["a page of nowhere"]), operation(Access.READ))

    assert gate._metrics.calls_refused.labels("403")._value.get() == 1


async def test_the_sandbox_shows_no_mail_to_a_page_of_somebody_else() -> None:
    app = sandbox_app(Mailbox(), {}, Keys(Settings(api_keys=None, host="127.0.0.1")))

    answers = [
        await call(app, "GET", "/sandbox/messages", headers=headers)
        for headers in (LET_IN["our own page"], REFUSED["a name that points here"], {})
    ]
    forgotten = await call(app, "DELETE", "/sandbox/messages", headers=REFUSED["a page of another port"])

    assert [answer.status for answer in answers] == [200, 403, 200]
    assert (forgotten.status, forgotten.document["title"]) == (403, "Forbidden")
