"""Who gets in where: every operation there is, for every kind of caller; and one tenant has nothing of another's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import pytest

from shared.access import Access
from shared.store import Store
from tests.asgi import resources
from tests.integration.isolation import (
    MARKER,
    OPERATIONS,
    OTHERS,
    OURS,
    SETTINGS,
    USER,
    Building,
    Visitor,
    acquaintances,
    belongings,
    expected,
    furnish,
    person,
    root,
    strangers,
)


@pytest.fixture
async def building(store: Store) -> AsyncIterator[Building]:
    process = resources(store, **SETTINGS)
    opened = Building(process, await furnish(store, process))
    yield opened
    await opened.close()
    await process.gate.close()


async def wrong_answers(building: Building, visitors: Iterable[Visitor], *, let_in: bool) -> list[str]:
    """Name each call that the gate answers otherwise than the operation's access says, and what shows something of
    ours that must not. With `let_in` those whom it must let in call, without it the others.
    """
    wrong = []
    for folder, operation in OPERATIONS:
        for visitor in visitors:
            status = expected(operation, visitor)
            if (status is None) is not let_in:
                continue
            seen = await building.visit(folder, operation, visitor)
            shows_ours = MARKER.encode() in seen.body
            is_right = seen.status == status if status else seen.status < 500 and seen.status not in (401, 403)
            is_right = is_right or (operation.access is Access.PUBLIC and seen.status == 403)  # by its own proof
            is_ours = let_in and visitor.caller is not None and visitor.caller.tenant == OURS
            if not is_right or (shows_ours and not is_ours):
                wrong.append(f"{visitor.name}: {operation.name}: {seen.status} {seen.body[:200]!r}")
    return wrong


async def test_whom_an_operation_does_not_let_in_sees_and_changes_nothing(building: Building, store: Store) -> None:
    visitors = [*await strangers(store), *await acquaintances(store), person(OTHERS, "8")]
    before = await belongings(store)

    wrong = await wrong_answers(building, visitors, let_in=False)

    assert wrong == []
    assert await belongings(store) == before


async def test_another_tenant_sees_and_changes_nothing_of_ours_wherever_it_gets_in(
    building: Building, store: Store
) -> None:
    visitors = [root(OTHERS), person(OTHERS, USER)]
    before = await belongings(store)

    wrong = await wrong_answers(building, visitors, let_in=True)

    assert wrong == []
    assert await belongings(store) == before


async def test_whom_an_operation_lets_in_gets_in(building: Building, store: Store) -> None:
    assert await wrong_answers(building, await acquaintances(store), let_in=True) == []


async def test_what_the_matrix_looks_for_is_there_to_be_seen(building: Building, store: Store) -> None:
    reading = [(folder, operation) for folder, operation in OPERATIONS if operation.method == "GET"]

    seen = {operation.name: await building.visit(folder, operation, root(OURS)) for folder, operation in reading}
    shown = {name for name, answer in seen.items() if MARKER.encode() in answer.body}

    assert shown >= {
        "get_user", "list_devices", "get_workflow", "list_dead_letters", "get_dead_letter", "list_suppressions",
        "list_keys", "get_key", "get_notification", "serve_socket",
        "get_template", "get_template_version", "get_fan_out", "get_preference_defaults",
    }  # fmt: skip
    assert {table for table, rows in (await belongings(store)).items() if rows} >= {
        "api_keys", "dead_letters", "devices", "inbox", "notifications", "suppressions", "users", "workflows",
        "contact_policies", "digests", "erasures", "fan_outs", "preferences", "template_versions", "templates",
    }  # fmt: skip


async def test_an_open_api_lets_everybody_in_as_one_tenant(store: Store) -> None:
    process = resources(store, api_keys=None, host="127.0.0.1")
    building, anybody = Building(process, {}), Visitor(name="anybody", headers={}, caller=None)

    statuses = {
        operation.name: (await building.visit(folder, operation, anybody)).status
        for folder, operation in OPERATIONS
        if operation.access is not Access.PUBLIC and 101 not in operation.gives
    }
    tenants = await store.database.fetch("SELECT DISTINCT tenant FROM api_keys UNION SELECT tenant FROM users")
    await building.close()
    await process.gate.close()

    assert [name for name, status in statuses.items() if status in (401, 403) or status >= 500] == []
    assert tenants == [("default",)]
