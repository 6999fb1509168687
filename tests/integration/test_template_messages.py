"""What templates say in messages: which version, which language, and what when it does not fit."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared import serve
from shared.serve import App
from shared.statuses import Channel, NotificationStatus, OutcomeKind
from shared.store.directory import User
from tests.integration.templating import WELCOME, post, send
from tests.world import ADDRESS, TENANT, USER, World


@pytest.fixture
async def templates(world: World) -> AsyncIterator[App]:
    app = serve.build("templates", world.resources)
    yield app
    await app.drain()


async def follow(world: World, **workflow: Any) -> None:
    await world.store.directory.put_workflow(TENANT, "*", {"template": "welcome", **workflow})


async def move_in(world: World, **more: Any) -> None:
    await world.store.directory.put_users(TENANT, [User(id=USER, email=ADDRESS, name="Ada", **more)])


async def test_what_is_posted_is_what_the_next_message_says(world: World, templates: App) -> None:
    await move_in(world)
    await follow(world)
    answer = await send(templates, "POST", "/templates", WELCOME)

    await world.post()
    await world.deliver_everything()

    assert (answer.status, answer.document["version"], answer.document["published"]) == (201, 1, 1)
    assert answer.document["variables"]["required"] == ["message", "user_name"]
    (letter,) = world.mail.letters
    assert (letter.subject, letter.text) == ("Hello Ada", "Your order is on its way., Ada!")


async def test_what_a_notification_began_with_stays_its_version_also_on_the_next_channel(
    world: World, templates: App
) -> None:
    await move_in(world)
    await follow(world, channels=["email", "websocket"])
    await post(templates, body="first")
    await post(templates, channel="websocket", body="first, in the inbox")
    notification = await world.post_routed()
    await post(templates, body="second")
    await post(templates, channel="websocket", body="second, in the inbox")
    world.mail.answers.append(OutcomeKind.PERMANENT)

    await world.deliver_everything()

    content = await world.value("content", notification, Channel.WEBSOCKET)
    assert [letter.text for letter in world.mail.letters] == ["first"]
    assert (content["text"], content["template"]["version"]) == ("first, in the inbox", 2)


async def test_a_version_that_this_process_has_seen_is_not_read_again(world: World, templates: App) -> None:
    await follow(world)
    await post(templates)
    await world.post_routed("one")
    async with world.store.database.connection() as connection:
        await connection.execute("DELETE FROM template_versions")

    await world.post_routed("two")
    await world.deliver_everything()

    assert len(world.mail.letters) == 2


@pytest.mark.parametrize(
    ("locale", "says"), [("de-AT", "Servus"), ("de", "Hallo"), ("de-CH", "Hallo"), ("fr", "Hej"), ("en", "Hello")]
)
async def test_a_reader_gets_the_nearest_language(world: World, templates: App, locale: str, says: str) -> None:
    await move_in(world, locale=locale)
    await follow(world)
    for language, body in [("sv", "Hej"), ("en", "Hello"), ("de", "Hallo"), ("de_at", "Servus")]:
        await post(templates, language=language, body=body)

    await world.post()
    await world.deliver_everything()

    assert [letter.text for letter in world.mail.letters] == [says]


async def test_a_mail_has_the_html_of_its_template_in_which_data_is_no_markup(world: World, templates: App) -> None:
    await move_in(world)
    await follow(world)
    await post(templates, html="<p>{{ message }}</p>", body="{{ message }}")

    await world.post(data={"message": "<b>1 & 2</b>"})
    await world.deliver_everything()

    (letter,) = world.mail.letters
    assert (letter.text, letter.options["html"]) == ("<b>1 & 2</b>", "<p>&lt;b&gt;1 &amp; 2&lt;/b&gt;</p>")


async def test_a_variable_that_is_missing_when_it_is_sent_ends_the_attempt_and_is_named(
    world: World, templates: App
) -> None:
    await follow(world, channels=["email"])
    await post(templates, body="{{ order_id }}")

    notification = await world.post()
    await world.deliver_everything()

    assert world.mail.letters == []
    assert await world.status_of(notification) is NotificationStatus.FAILED
    assert "'order_id' is undefined" in json.dumps(await world.document(notification))


async def test_a_channel_without_words_fails_and_the_next_one_speaks(world: World, templates: App) -> None:
    await follow(world, channels=["websocket", "email"])
    await post(templates)

    await world.post()
    await world.deliver_everything()

    assert len(world.mail.letters) == 1


async def test_a_tenant_may_say_the_plain_message_in_its_own_words(world: World, templates: App) -> None:
    await post(templates, name="plain", body="Dear customer, {{ message }}")

    await world.post()
    await world.deliver_everything()

    assert world.mail.letters[0].text.startswith("Dear customer, ")


async def test_a_draft_is_used_by_nobody_until_it_is_published(world: World, templates: App) -> None:
    await follow(world)
    await post(templates, body="one")
    draft = await post(templates, body="two", draft=True)
    await world.post("a")
    await world.deliver_everything()

    published = await send(templates, "POST", "/templates/welcome/publish")
    await world.post("b")
    await world.deliver_everything()
    back = await send(templates, "POST", "/templates/welcome/publish", {"version": 1})
    await world.post("c")
    await world.deliver_everything()

    assert (draft["version"], draft["published"]) == (2, 1)
    assert (published.document, back.document) == (
        {"name": "welcome", "published": 2},
        {"name": "welcome", "published": 1},
    )
    assert [letter.text for letter in world.mail.letters] == ["one", "two", "one"]


async def test_a_deleted_template_is_gone_for_new_notifications_and_can_be_published_again(
    world: World, templates: App
) -> None:
    await follow(world, channels=["email"])
    await post(templates, body="one")
    begun = await world.post_routed("begun")
    gone = await send(templates, "DELETE", "/templates/welcome")
    late = await world.post("late")
    await world.deliver_everything()

    shown = [await send(templates, "GET", "/templates/welcome"), await send(templates, "DELETE", "/templates/welcome")]
    versions = await send(templates, "GET", "/templates/welcome/versions")
    fresh = await post(templates, language="de", body="zwei", draft=True)
    back = await send(templates, "POST", "/templates/welcome/publish", {"version": 1})

    assert gone.status == 204
    assert await world.status_of(begun) is NotificationStatus.SENT
    assert await world.status_of(late) is NotificationStatus.FAILED
    assert [answer.status for answer in shown] == [404, 404]
    assert [one["version"] for one in versions.document["versions"]] == [1]
    assert [one["language"] for one in fresh["contents"]] == ["de"]
    assert (back.status, back.document["published"]) == (200, 1)
