"""What a client says about people and about a mail, over HTTP and up to the letter."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.ingest.accepting import Acceptance, Accepted
from functions.ingest.requests import read
from shared import serve
from shared.store import Store
from tests.asgi import Answer, call
from tests.world import TENANT, World


async def put(world: World, **said: Any) -> Answer:
    app = serve.build("directory", world.resources)
    answer = await call(app, "PUT", "/users/7", json.dumps(said).encode(), {"content-type": "application/json"})
    await app.drain()
    return answer


async def test_the_addresses_of_a_person_are_kept_in_one_form(world: World) -> None:
    answer = await put(world, email="Ada@Example.TEST", phone="+1 (650) 253-0000", telegram=42)

    assert answer.status == 200
    kept = await world.store.directory.user(TENANT, "7")
    assert kept is not None
    assert (kept.email, kept.phone, kept.telegram) == ("Ada@example.test", "+16502530000", "42")
    assert answer.document["email"] == kept.email


@pytest.mark.parametrize(
    ("field", "said"),
    [("email", "ada@example.test, eve@example.test"), ("phone", "+1555"), ("telegram", "@a"), ("telegram", True)],
)
async def test_what_is_no_address_is_refused_by_its_name_and_not_repeated(
    world: World, field: str, said: object
) -> None:
    answer = await put(world, **{field: said})

    assert (answer.status, answer.document["field"]) == (422, field)
    assert "eve@" not in json.dumps(answer.document)
    assert await world.store.directory.user(TENANT, "7") is None


async def test_what_an_event_and_its_workflow_say_about_the_mail_reaches_the_provider(store: Store) -> None:
    options = {"email": {"reply_to": "shop@example.test", "html": "<p>Hi</p>"}}
    world = await World(store).settle_in({"category": "offers", "channels": ["email"], "options": options})
    file = {"filename": "a.txt", "content_type": "text/plain", "content": "SGk="}
    data = {"message": "Hi", "options": {"email": {"reply_to": "help@example.test", "attachments": [file]}}}
    document = {"event_type": "order_shipped", "user_id": "1", "data": data}
    acceptance = Acceptance(world.resources)
    (answer,) = await acceptance.accept(read({}, json.dumps(document).encode(), tenant=TENANT))
    await acceptance.close()
    assert isinstance(answer, Accepted)

    await world.deliver_everything()

    (letter,) = world.mail.letters
    assert letter.category == "offers"
    assert letter.options == {"reply_to": "help@example.test", "html": "<p>Hi</p>", "attachments": [file]}
