"""Readers who have had enough, and follow the link in a mail: over HTTP, without a server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest

from functions.deliver_email.unsubscribe_links import UnsubscribeLinks
from shared import serve
from shared.serve import App
from shared.statuses import Channel
from shared.unsubscribing import Subscription, write_token
from tests.asgi import Answer, call
from tests.world import TENANT, USER, World

FORM = "application/x-www-form-urlencoded"
ONE_CLICK = b"List-Unsubscribe=One-Click"
ROOT = "https://notify.example.test/carillon"


@pytest.fixture
async def app(world: World) -> AsyncIterator[App]:
    app = serve.build("callbacks", world.resources)
    yield app
    await app.drain()


async def post(app: App, path: str, body: bytes, content_type: str = FORM) -> Answer:
    return await call(app, "POST", path, body, {"content-type": content_type})


async def link(world: World, category: str = "general", user: str = USER) -> str:
    subscription = Subscription(tenant=TENANT, user_id=user, category=category, channel=Channel.EMAIL)
    return "/unsubscribe/" + write_token(await world.store.secrets.get("unsubscribe"), subscription)


async def preferences(world: World) -> list[tuple[Any, ...]]:
    query = "SELECT user_id, category, channel, enabled FROM preferences"
    return [tuple(row) for row in await world.store.database.fetch(query)]


MULTIPART = b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'


@pytest.mark.parametrize(("content_type", "body"), [(FORM, ONE_CLICK), ("multipart/form-data; boundary=b", MULTIPART)])
async def test_one_click_stops_a_kind_of_message_on_its_channel(
    world: World, app: App, content_type: str, body: bytes
) -> None:
    address = await link(world)

    answers = [await post(app, address, body, content_type) for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 200]
    assert "set-cookie" not in answers[0].headers
    assert await preferences(world) == [(USER, "general", "email", False)]
    notification = await world.post(prefers=Channel.EMAIL)
    await world.deliver_everything()
    assert world.mail.letters == []
    assert await world.status_of(notification) == "sent"  # in the inbox


async def test_to_look_at_the_link_changes_nothing(world: World, app: App) -> None:
    address = await link(world, category="<b>news</b>")

    answers = [await call(app, method, address) for method in ("GET", "HEAD", "GET")]

    assert [answer.status for answer in answers] == [200] * 3
    assert await preferences(world) == []
    page, policy = answers[0].body.decode(), answers[0].headers["content-security-policy"]
    assert "&lt;b&gt;news&lt;/b&gt;" in page
    assert "<script" not in page
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


async def test_the_button_of_the_page_does_what_one_click_does(world: World, app: App) -> None:
    address = await link(world)
    page = (await call(app, "GET", address)).body.decode()
    (button,) = re.findall(r'<form method="post"><button name="([^"]+)" value="([^"]+)">', page)

    answer = await post(app, address, urlencode([button]).encode())

    assert answer.status == 200
    assert await preferences(world) == [(USER, "general", "email", False)]


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"", FORM, 400),
        (b"List-Unsubscribe=No", FORM, 400),
        (b"\xff", FORM, 400),
        (b"--b", "multipart/form-data; boundary=b", 400),
        (b"--b", "multipart/form-data; boundary=\xe4", 400),
        (b"x" * 5000, FORM, 413),
    ],
)
async def test_a_post_that_is_no_click_stops_nothing(
    world: World, app: App, body: bytes, content_type: str | bytes, expected: int
) -> None:
    text = content_type if isinstance(content_type, str) else content_type.decode("latin-1")

    answer = await post(app, await link(world), body, text)

    assert answer.status == expected
    assert await preferences(world) == []


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("change", ["", "x", "A" * 3000])
async def test_a_link_that_is_not_ours_opens_nothing(world: World, app: App, method: str, change: str) -> None:
    address = (await link(world))[:-4] + change

    answer = await call(app, method, address, ONE_CLICK, {"content-type": FORM})

    assert answer.status == 404
    assert await preferences(world) == []


async def test_the_link_that_a_mail_carries_is_the_one_that_stops_it(world: World, app: App) -> None:
    await world.post(prefers=Channel.EMAIL)
    await world.deliver_everything()
    (letter,) = world.mail.letters
    links = UnsubscribeLinks(ROOT, lambda: world.store.secrets.get("unsubscribe"))
    await links.prepare()
    (address,) = re.findall(rf"^List-Unsubscribe: <{ROOT}(.+)>\r$", links.headers(letter), re.MULTILINE)

    answer = await post(app, address, ONE_CLICK)

    assert answer.status == 200
    assert await preferences(world) == [(USER, "general", "email", False)]
