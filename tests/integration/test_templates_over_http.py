"""Templates as a client meets them: over HTTP, without a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from functions.templates.api import PAGE
from shared import serve
from shared.serve import App
from shared.statuses import Channel
from shared.store import Store
from shared.store.templates import Draft
from shared.templates import Template
from tests.asgi import call, resources
from tests.integration.templating import WELCOME, post, send
from tests.world import TENANT, World


@pytest.fixture
async def templates(world: World) -> AsyncIterator[App]:
    app = serve.build("templates", world.resources)
    yield app
    await app.drain()


async def test_what_is_published_brings_no_draft_along(templates: App) -> None:
    await post(templates, body="one")
    await post(templates, language="de", body="eins", draft=True)

    fixed = await post(templates, body="one, mended")
    drafts = await post(templates, language="fr", body="un", draft=True)

    assert [(one["language"], one["body"]) for one in fixed["contents"]] == [("en", "one, mended")]
    assert [one["language"] for one in drafts["contents"]] == ["en", "fr"]


async def test_the_same_words_again_are_the_same_version(templates: App) -> None:
    first = await send(templates, "POST", "/templates", WELCOME)
    again = await send(templates, "POST", "/templates", WELCOME)

    assert (first.status, again.status, again.document) == (201, 200, first.document)


async def test_all_words_can_be_written_at_once(templates: App) -> None:
    await post(templates, language="de", body="alt")
    contents = [
        {"channel": "sms", "body": "kurz {{ code }}", "language": "de"},
        {"channel": "email", "body": "lang", "language": "de"},
    ]

    answer = await send(templates, "PUT", "/templates/welcome", {"default_language": "de", "contents": contents})

    said = [(one["channel"], one["language"], one["body"]) for one in answer.document["contents"]]
    assert (answer.status, answer.document["version"], answer.document["default_language"]) == (201, 2, "de")
    assert said == [("email", "de", "lang"), ("sms", "de", "kurz {{ code }}")]


async def test_templates_and_their_versions_are_listed(templates: App) -> None:
    for name in ("b", "a"):
        await post(templates, name=name)
    await post(templates, name="a", channel="sms", language="de", body="kurz", draft=True)

    found = (await send(templates, "GET", "/templates")).document
    versions = (await send(templates, "GET", "/templates/a/versions")).document

    listed = [(one["name"], one["published"], one["latest"], one["languages"]) for one in found["templates"]]
    assert listed == [("a", 1, 2, {"email": ["en"]}), ("b", 1, 1, {"email": ["en"]})]
    assert found["next_cursor"] is None
    assert [(one["version"], one["is_published"], one["made_by"]) for one in versions["versions"]] == [
        (2, False, "open"),
        (1, True, "open"),
    ]


async def test_a_long_list_is_read_page_by_page(world: World, templates: App) -> None:
    draft = Draft(default_language="en", contents={Channel.SMS: {"en": Template("", "x")}})
    for number in range(PAGE + 1):
        await world.store.templates.add(TENANT, f"t{number:03}", lambda _: draft, publish=True, made_by="")

    first = (await send(templates, "GET", "/templates")).document
    second = (await send(templates, "GET", f"/templates?cursor={first['next_cursor']}")).document

    names = [one["name"] for page in (first, second) for one in page["templates"]]
    assert names == [f"t{number:03}" for number in range(PAGE + 1)]
    assert second["next_cursor"] is None


async def test_a_preview_shows_what_each_channel_would_get(templates: App) -> None:
    await post(templates, html="<p>{{ message }}</p>")
    await post(templates, channel="sms", body="{{ message }} €{{ amount }}")

    answer = await send(
        templates, "POST", "/templates/welcome/preview", {"variables": {"message": "<Hi>", "amount": 5}}
    )

    email, sms = answer.document["previews"]
    assert (answer.status, answer.document["version"], answer.document["missing"]) == (200, 2, [])
    assert (email["subject"], email["body"], email["html"]) == ("Hello Ada", "<Hi>, Ada!", "<p>&lt;Hi&gt;</p>")
    assert (sms["body"], sms["segments"]) == (
        "<Hi> €5",
        {"encoding": "GSM-7", "units": 8, "count": 1, "not_gsm": []},
    )
    assert sms["size"] == {"characters": 7, "bytes": 9, "limit": 1600, "fits": True}


async def test_a_preview_names_what_is_missing_and_sends_nothing(world: World, templates: App) -> None:
    await post(templates, body="{{ order.total }} {{ order_id }} {{ message|default('') }}")

    answer = await send(templates, "POST", "/templates/welcome/preview", {"variables": {"order": {}}})

    (email,) = answer.document["previews"]
    assert (email["missing"], email["body"]) == (["order.total", "order_id"], None)
    assert "'total' is undefined" in email["problem"]
    assert world.mail.letters == []


async def test_a_preview_of_words_that_are_built_in_and_of_an_older_version(templates: App) -> None:
    await post(templates, body="one")
    await post(templates, body="two")

    older = await send(templates, "POST", "/templates/welcome/preview", {"version": 1})
    plain = await send(
        templates, "POST", "/templates/plain/preview", {"variables": {"message": "Hi"}, "channel": "telegram"}
    )

    assert older.document["previews"][0]["body"] == "one"
    assert [one["body"] for one in plain.document["previews"]] == ["Hi"]


@pytest.mark.parametrize(
    ("changes", "field", "word"),
    [
        ({"name": "a b"}, "name", "match"),
        ({"name": ""}, "name", "match"),
        ({"channel": "pigeon"}, "channel", "email"),
        ({"language": "english"}, "language", "match"),
        ({"body": ""}, "body", "at least 1"),
        ({"body": None}, "body", "string"),
        ({"body": "x" * 50_001}, "body", "50000"),
        ({"body": "a\nb {{ message|center(5) }}"}, "body", "Line 2: there is no filter 'center'."),
        ({"subject": "{{ range(3) }}"}, "subject", "Line 1: nothing can be called"),
        ({"html": "{% include 'x' %}"}, "html", "Line 1: include cannot be used"),
        ({"channel": "sms", "html": "<b>"}, "body", "only e-mail has HTML"),
        ({"colour": "red"}, "colour", ""),
    ],
)
async def test_words_that_are_wrong_are_refused_by_the_name_of_their_field(
    templates: App, changes: dict[str, Any], field: str, word: str
) -> None:
    answer = await send(templates, "POST", "/templates", {**WELCOME, **changes})

    assert (answer.status, answer.document["field"]) == (422, field)
    assert word in answer.document["detail"]
    assert (await send(templates, "GET", "/templates/welcome")).status == 404


@pytest.mark.parametrize(
    ("method", "path", "document", "status"),
    [
        ("GET", "/templates/nobody", None, 404),
        ("GET", "/templates/a%20b", None, 422),
        ("DELETE", "/templates/nobody", None, 404),
        ("GET", "/templates/nobody/versions", None, 404),
        ("GET", "/templates/welcome/versions/9", None, 404),
        ("GET", "/templates/welcome/versions/x", None, 422),
        ("GET", "/templates/welcome/versions?cursor=x", None, 422),
        ("GET", "/templates?cursor=%20", None, 422),
        ("POST", "/templates/welcome/publish", {"version": 9}, 404),
        ("POST", "/templates/welcome/publish", {"version": 0}, 422),
        ("POST", "/templates/nobody/publish", {}, 404),
        ("POST", "/templates/welcome/preview", {"version": 9}, 404),
        ("POST", "/templates/welcome/preview", {"channel": "sms"}, 404),
        ("POST", "/templates/welcome/preview", {"variables": []}, 422),
        ("POST", "/templates", [], 422),
        ("PUT", "/templates/welcome", {"contents": []}, 422),
        ("PUT", "/templates/welcome", {"contents": [{"channel": "sms", "body": "x"}] * 2}, 422),
    ],
)
async def test_what_cannot_be_done_is_a_problem(
    templates: App, method: str, path: str, document: Any, status: int
) -> None:
    await post(templates)

    answer = await send(templates, method, path, document)

    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_a_template_has_bounded_words(templates: App) -> None:
    large = [
        {"channel": "email", "language": f"{chr(97 + number)}a", "html": "x" * 100_000, "body": "x"}
        for number in range(6)
    ]

    answer = await send(templates, "PUT", "/templates/welcome", {"contents": large})

    assert (answer.status, answer.document["title"]) == (409, "Template too large")


async def test_nobody_sees_or_gets_the_words_of_another_tenant(store: Store) -> None:
    app = serve.build("templates", resources(store, api_keys="acme:k-1,other:k-2"))
    body = json.dumps(WELCOME).encode()
    mine, theirs = {"x-api-key": "k-1"}, {"x-api-key": "k-2"}
    await call(app, "POST", "/templates", body, mine)

    found = [
        await call(app, "GET", "/templates/welcome", headers=theirs),
        await call(app, "GET", "/templates/welcome/versions", headers=theirs),
        await call(app, "DELETE", "/templates/welcome", headers=theirs),
        await call(app, "POST", "/templates/welcome/publish", b"", theirs),
    ]
    listed = await call(app, "GET", "/templates", headers=theirs)
    without = await call(app, "GET", "/templates")
    own = await call(app, "GET", "/templates/welcome", headers=mine)
    await app.drain()

    assert [answer.status for answer in found] == [404] * 4
    assert (listed.document["templates"], without.status, own.status) == ([], 401, 200)


async def test_a_version_is_never_changed(store: Store, templates: App) -> None:
    await post(templates)

    with pytest.raises(Exception, match="never changed"):
        await store.database.run("UPDATE template_versions SET contents = '{}'")


async def test_two_who_write_at_once_both_make_a_version(templates: App) -> None:
    await asyncio.gather(*[post(templates, language=language) for language in ("en", "de", "fr", "sv")])

    found = (await send(templates, "GET", "/templates/welcome")).document

    assert found["version"] == 4
    assert [one["language"] for one in found["contents"]] == ["de", "en", "fr", "sv"]
