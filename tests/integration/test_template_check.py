"""Before a notification is accepted: can its template be written?"""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import Refused
from shared.problems import FieldsRefused
from shared.statuses import Channel
from shared.store import Store
from shared.store.templates import Draft
from shared.template_check import FRESH_SECONDS, TemplateCheck
from shared.templates import Template
from tests.world import TENANT

SMS = Channel.SMS


async def publish(store: Store, text: str, name: str = "code", language: str = "en") -> None:
    draft = Draft(default_language="en", contents={SMS: {language: Template("", text)}})
    await store.templates.add(TENANT, name, lambda _: draft, publish=True, made_by="")


class Clock:
    """A clock that is turned by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("variables", "absent"),
    [
        ({"code": 1, "order": {"id": 2}}, []),
        ({"order": {"id": 2}}, ["variables.code"]),
        ({"code": None, "order": {}}, ["variables.order.id"]),
        ({}, ["variables.code", "variables.order.id"]),
    ],
)
async def test_what_a_template_certainly_needs_is_asked_for_by_its_name(
    store: Store, variables: dict[str, Any], absent: list[str]
) -> None:
    await publish(store, "{{ code }} {{ order.id }} {{ user_name }}{{ title }}{% if vip %}{{ gift }}{% endif %}")
    check = TemplateCheck(store.templates)

    refused = None
    try:
        await check.require(TENANT, "code", SMS, variables)
    except FieldsRefused as error:
        refused = error

    assert [field for field, _ in refused.errors] == absent if refused else absent == []


@pytest.mark.parametrize(
    ("tenant", "name", "channel"), [(TENANT, "x", SMS), ("x", "code", SMS), (TENANT, "code", "push")]
)
async def test_a_template_that_is_not_published_for_a_channel_is_refused(
    store: Store, tenant: str, name: str, channel: str
) -> None:
    await publish(store, "{{ code }}")

    with pytest.raises(Refused) as refused:
        await TemplateCheck(store.templates).require(tenant, name, Channel(channel), {"code": 1})

    assert (refused.value.status, refused.value.field) == (422, "template")


async def test_what_is_built_in_needs_its_message(store: Store) -> None:
    check = TemplateCheck(store.templates)

    await check.require(TENANT, "plain", Channel.EMAIL, {"message": "Hi"})
    with pytest.raises(FieldsRefused) as refused:
        await check.require(TENANT, "plain", Channel.EMAIL, {})

    assert refused.value.field == "variables.message"


async def test_what_is_published_is_seen_a_second_later_at_most_and_not_asked_for_before(store: Store) -> None:
    clock = Clock()
    check = TemplateCheck(store.templates, clock=clock)
    await publish(store, "{{ old }}")
    await check.require(TENANT, "code", SMS, {"old": 1})
    await publish(store, "{{ new }}")

    clock.now = FRESH_SECONDS - 0.1
    await check.require(TENANT, "code", SMS, {"old": 1})
    clock.now = FRESH_SECONDS

    with pytest.raises(FieldsRefused):
        await check.require(TENANT, "code", SMS, {"old": 1})
    await check.require(TENANT, "code", SMS, {"new": 1})


async def test_names_that_nobody_published_do_not_fill_the_memory(store: Store) -> None:
    check = TemplateCheck(store.templates, kept=3)

    for number in range(5):
        with pytest.raises(Refused):
            await check.require(TENANT, f"t{number}", SMS, {})

    assert len(check._seen) == 3
