"""The table of operations, the routes that are made of it, and the gate before them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from infrastructure.local.gateway import RouteTable
from infrastructure.local.manifests import read
from shared.access import Access, Caller
from shared.auth import Gate
from shared.broker.in_process import InProcessBroker
from shared.errors import Refused
from shared.metrics import Metrics
from shared.operations import Answer, Operation
from shared.problems import answer, exception_handlers
from shared.runtime import Resources
from shared.serve import load
from shared.settings import Settings
from shared.step import Api, ApiWork, routes
from shared.store import Store
from tests.asgi import call
from tests.signers import SECRET, signed

FOLDERS = sorted(path.parent.name for path in Path("functions").glob("*/operations.py"))
APIS: dict[str, Api] = {folder: load(folder).FUNCTION for folder in FOLDERS}
OPERATIONS = [(folder, operation) for folder, api in APIS.items() for operation in api.operations]


def work_of(api: Api) -> ApiWork:
    settings = Settings(host="127.0.0.1", api_keys=None, database_url="postgresql://nobody@127.0.0.1:1/nothing")
    store = Store("postgresql://nobody@127.0.0.1:1/nothing")
    return api.open(Resources(settings=settings, store=store, broker=InProcessBroker()))


@pytest.mark.parametrize("folder", FOLDERS)
async def test_what_a_function_offers_is_what_its_table_says(folder: str) -> None:
    routes = work_of(APIS[folder]).routes

    served = set()
    for route in routes:
        assert isinstance(route, Route | WebSocketRoute)
        methods = route.methods or set() if isinstance(route, Route) else {"GET"}
        served |= {(method, route.path) for method in methods - {"HEAD"}}

    assert served == {(operation.method, operation.path) for operation in APIS[folder].operations}


def test_an_operation_has_a_name_of_its_own() -> None:
    counted = Counter(operation.name for _, operation in OPERATIONS)

    assert [name for name, count in counted.items() if count > 1] == []


@pytest.mark.parametrize(("folder", "operation"), OPERATIONS, ids=[operation.name for _, operation in OPERATIONS])
def test_the_gateway_leads_an_operation_to_its_function(folder: str, operation: Operation) -> None:
    table = RouteTable(read().routes)

    assert table.find(operation.path.replace("{", "").replace("}", ""), operation.method) == folder.replace("_", "-")


def gate_of(settings: Settings) -> Gate:
    return Gate(settings, Store("postgresql://nobody@127.0.0.1:1/nothing"), Metrics())


def connection(path_params: dict[str, str], **headers: str) -> HTTPConnection:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection({"type": "http", "headers": raw, "path_params": path_params})


def operation(access: Access, method: str = "GET") -> Operation:
    return Operation(
        name="it", method=method, path="/it/{id}", access=access, summary="", tag="", gives={200: Answer(about="")}
    )


async def test_without_a_key_only_what_is_public_is_open() -> None:
    gate = gate_of(Settings(api_keys="acme:first-key"))

    caller = await gate.admit(connection({}), operation(Access.PUBLIC))
    with pytest.raises(Refused) as refused:
        await gate.admit(connection({}), operation(Access.READ))

    assert caller.scopes == frozenset()
    assert refused.value.status == 401


async def test_a_key_of_the_settings_may_do_everything_for_its_tenant() -> None:
    gate = gate_of(Settings(api_keys="acme:first-key"))

    callers = [
        await gate.admit(connection({"id": "7"}, x_api_key="first-key"), operation(access))
        for access in Access
        if access is not Access.PUBLIC
    ]

    assert {caller.tenant for caller in callers} == {"acme"}
    assert all("first-key" not in repr(caller) for caller in callers)


def test_what_belongs_to_a_person_is_open_to_that_person_and_to_who_manages_people() -> None:
    person = Caller(tenant="acme", name="user:7", user_id="7")
    reader = Caller(tenant="acme", name="key:1", scopes=frozenset({Access.READ}))
    manager = Caller(tenant="acme", name="key:2", scopes=frozenset({Access.MANAGE}))

    assert (person.may_be("7", is_reading=False), person.may_be("8", is_reading=True)) == (True, False)
    assert (reader.may_be("7", is_reading=True), reader.may_be("7", is_reading=False)) == (True, False)
    assert manager.may_be("7", is_reading=False)
    assert not person.may(Access.READ)


async def test_who_may_not_is_told_what_it_would_take() -> None:
    gate = gate_of(Settings(jwt_secret=SECRET))
    token = {"authorization": f"Bearer {signed(sub='7')}"}
    said = []
    for one in (operation(Access.SEND), operation(Access.PERSON), operation(Access.PERSON, "PUT")):
        with pytest.raises(Refused) as refused:
            await gate.admit(connection({"id": "8"}, **token), one)
        said.append((refused.value.status, refused.value.detail))

    assert [status for status, _ in said] == [403, 403, 403]
    assert [detail.rpartition("scope ")[2] for _, detail in said] == ["send.", "manage or read.", "manage."]


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({}, "Bearer"),
        ({"x_api_key": "nobodys-key"}, 'Bearer error="invalid_token"'),
        ({"authorization": "Bearer a.b.c"}, 'Bearer error="invalid_token"'),
        ({"authorization": f"Bearer {signed(sub='7')}"}, 'Bearer error="insufficient_scope", scope="send"'),
    ],
)
async def test_a_refusal_is_a_challenge_as_the_standard_has_it(headers: dict[str, str], challenge: str) -> None:
    with pytest.raises(Refused) as refused:
        await gate_of(Settings(jwt_secret=SECRET)).admit(connection({}, **headers), operation(Access.SEND))

    assert answer(refused.value).headers["www-authenticate"] == challenge


async def tell(request: Request, caller: Caller) -> Response:
    return Response(f"{request.method} for {caller.tenant}")


@pytest.fixture
def thing() -> Starlette:
    gate = gate_of(Settings(api_keys="acme:first-key"))
    offered = {
        operation(Access.READ): tell,
        operation(Access.MANAGE, "PUT"): tell,
        operation(Access.MANAGE, "DELETE"): tell,
    }
    return Starlette(routes=routes(gate, offered), exception_handlers=exception_handlers())


@pytest.mark.parametrize(
    ("method", "said"), [("GET", b"GET"), ("PUT", b"PUT"), ("DELETE", b"DELETE"), ("HEAD", b"HEAD")]
)
async def test_each_method_of_an_address_has_its_own_handler_behind_the_gate(
    thing: Starlette, method: str, said: bytes
) -> None:
    refused = await call(thing, method, "/it/7")
    answered = await call(thing, method, "/it/7", headers={"x-api-key": "first-key"})

    assert refused.status == 401
    assert (answered.status, answered.body) == (200, said + b" for acme")


async def test_a_method_that_an_address_does_not_take_is_told_all_that_it_does(thing: Starlette) -> None:
    answered = await call(thing, "POST", "/it/7", headers={"x-api-key": "first-key"})

    assert (answered.status, answered.headers["content-type"]) == (405, "application/problem+json")
    assert {name.strip() for name in answered.headers["allow"].split(",")} == {"GET", "HEAD", "PUT", "DELETE"}
