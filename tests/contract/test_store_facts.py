"""What routing asks, in Postgres and in memory: the event, the person, their wishes, the workflow."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from shared.saga import OnAmbiguous, Why
from shared.statuses import Channel, OutcomeKind
from shared.store.directory import User
from shared.store.facts import Facts
from shared.store.templates import Draft, Revise
from shared.templates import Template
from shared.wishes import NO_WISHES, Priority, Wishes
from tests.contract.stage import ADDRESS, EMAIL, TENANT, USER, WEBSOCKET, Stage, order, outcome

UNREACHABLE = {channel: Why.NO_ADDRESS for channel in Channel if channel not in (EMAIL, WEBSOCKET)}


def always(draft: Draft) -> Revise:
    """Make the same words of whatever was before."""
    return lambda _: draft


async def facts(stage: Stage, key: UUID) -> Facts:
    async with stage.store.sagas.transaction() as sagas:
        found = await sagas.facts([key])
        assert await sagas.facts([]) == {}
    return found[key]


async def test_a_person_is_reached_where_they_have_an_address(stage: Stage) -> None:
    found = await facts(stage, await stage.keep())

    assert (found.event_type, found.user_id, found.user_name) == ("order_created", USER, "One")
    assert (dict(found.data), found.preferred, found.workflow) == ({"message": "hello"}, None, None)
    assert dict(found.obstacles) == UNREACHABLE


async def test_nobody_knows_an_unknown_user(stage: Stage) -> None:
    found = await facts(stage, await stage.keep(1, user="nobody"))

    assert set(found.obstacles.values()) == {Why.UNKNOWN_USER}
    assert set(found.obstacles) == set(Channel)


async def test_an_event_follows_its_own_workflow_else_the_default(stage: Stage) -> None:
    own: dict[str, Any] = {"channels": ["email"], "retry_seconds": [1, 2]}
    await stage.store.directory.put_workflow(TENANT, "*", {"channels": ["websocket"]})
    await stage.store.directory.put_workflow(TENANT, "order_created", own)

    mine, other = await stage.keep(1), await stage.keep(2, event_type="order_shipped")

    assert (await facts(stage, mine)).workflow == own
    assert (await facts(stage, other)).workflow == {"channels": ["websocket"]}
    assert await stage.store.directory.workflow(TENANT, "order_created") == own
    assert await stage.store.directory.workflow("other", "order_created") == {}


async def test_a_wish_counts_for_the_category_of_the_workflow(stage: Stage) -> None:
    await stage.store.directory.put_workflow(TENANT, "order_created", {"category": "news"})
    await stage.store.directory.put_preference(TENANT, USER, "news", EMAIL, enabled=False)
    news, other = await stage.keep(1), await stage.keep(2, event_type="order_shipped")

    assert dict((await facts(stage, news)).obstacles) == {**UNREACHABLE, EMAIL: Why.OPTED_OUT}
    assert dict((await facts(stage, other)).obstacles) == UNREACHABLE


async def test_a_wish_for_every_category_counts_until_it_is_taken_back(stage: Stage) -> None:
    key = await stage.keep()
    await stage.store.directory.put_preference(TENANT, USER, "*", WEBSOCKET, enabled=False)
    before = dict((await facts(stage, key)).obstacles)

    await stage.store.directory.put_preference(TENANT, USER, "*", WEBSOCKET, enabled=True)

    assert before == {**UNREACHABLE, WEBSOCKET: Why.OPTED_OUT}
    assert dict((await facts(stage, key)).obstacles) == UNREACHABLE


async def test_a_suppressed_address_is_in_the_way(stage: Stage) -> None:
    command = await stage.route(1)
    claim = await stage.claim(command)
    bounced = outcome(OutcomeKind.PERMANENT, suppress=True)
    await stage.record(command, claim.token, bounced, address=claim.address)

    found = await facts(stage, await stage.keep(2))

    assert dict(found.obstacles) == {**UNREACHABLE, EMAIL: Why.SUPPRESSED}


async def test_the_channel_that_an_event_prefers_is_told(stage: Stage) -> None:
    preferring = order(1)
    preferring = type(preferring)(
        id=preferring.id,
        tenant=TENANT,
        user_id=USER,
        event_type=preferring.event_type,
        source=preferring.source,
        body_hash=b"",
        data={},
        preferred="websocket",
    )
    await stage.store.intake.keep([preferring])

    assert (await facts(stage, preferring.id)).preferred is WEBSOCKET


async def test_the_wishes_of_one_notification_are_told(stage: Stage) -> None:
    wishes = Wishes(channel=EMAIL, template="receipt", on_ambiguous=OnAmbiguous.HOLD, priority=Priority.HIGH)

    mine, other = await stage.keep(1, wishes=wishes.to_json()), await stage.keep(2)

    assert (await facts(stage, mine)).wishes == wishes
    assert (await facts(stage, other)).wishes is NO_WISHES


async def test_which_version_of_its_template_is_published_is_read_with_the_facts(stage: Stage) -> None:
    for name, text, is_published in [
        ("plain", "one", True),
        ("plain", "two", True),
        ("plain", "three", False),
        ("invoice", "one", True),
    ]:
        revise = always(Draft(default_language="de", contents={EMAIL: {"de": Template("", text)}}))
        await stage.store.templates.add(TENANT, name, revise, publish=is_published, made_by="")
    theirs = always(Draft(default_language="de", contents={EMAIL: {"de": Template("", "theirs")}}))
    await stage.store.templates.add("other", "nothing", theirs, publish=True, made_by="")
    await stage.store.directory.put_workflow(TENANT, "order_created", {"template": "invoice"})
    await stage.store.directory.put_workflow(TENANT, "order_lost", {"template": "nothing"})

    found = [
        (await facts(stage, await stage.keep(number, event_type=event_type))).template_version
        for number, event_type in enumerate(("order_created", "order_shipped", "order_lost"))
    ]

    assert found == [1, 2, None]


async def test_the_locale_of_a_person_is_read_with_the_facts(stage: Stage) -> None:
    await stage.store.directory.put_users(TENANT, [User(id=USER, email=ADDRESS, locale="de-AT")])

    assert (await facts(stage, await stage.keep(1))).locale == "de-AT"
    assert (await facts(stage, await stage.keep(2, user="nobody"))).locale == "en"


async def test_versions_are_read_by_tenant_name_and_number(stage: Stage) -> None:
    first = Draft(default_language="de", contents={EMAIL: {"de": Template("Betreff", "Text", "<p>")}})
    second = Draft(default_language=None, contents={EMAIL: {"en": Template("", "Text")}})
    for draft in (first, second):
        await stage.store.templates.add(TENANT, "invoice", always(draft), publish=True, made_by="")
    keys = {(TENANT, "invoice", 1), (TENANT, "invoice", 2), (TENANT, "invoice", 3), ("other", "invoice", 1)}

    async with stage.store.sagas.transaction() as sagas:
        found = await sagas.templates(keys)
        again = await sagas.templates(keys)
        nothing = await sagas.templates(set())

    assert set(found) == {(TENANT, "invoice", 1), (TENANT, "invoice", 2)}
    assert found[TENANT, "invoice", 1].contents == first.contents
    assert [found[TENANT, "invoice", version].default_language for version in (1, 2)] == ["de", "de"]
    assert (again, nothing) == (found, {})
