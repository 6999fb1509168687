"""Where nothing is sent any more: to be seen, to be added to, and to be lifted, by its tenant alone."""

from __future__ import annotations

import json
import logging

import pytest
from pydantic import SecretStr

from functions.console.suppressions import PAGE
from shared import serve
from shared.outcomes import Outcome
from shared.serve import App
from shared.statuses import Channel, OutcomeKind
from shared.store import Store
from tests.asgi import Answer, call, resources
from tests.fakes import ScriptedProvider
from tests.world import ADDRESS, TENANT, World

DEAD = Outcome(kind=OutcomeKind.PERMANENT, code="smtp 550 5.1.1", provider="scripted", suppress=True)


@pytest.fixture
def app(store: Store) -> App:
    return serve.build("console", resources(store))


async def put(app: App, channel: str, address: str, reason: object = "asked for it", key: str = "") -> Answer:
    path = f"/suppressions/{channel}/{address}"
    headers = {"content-type": "application/json", **({"x-api-key": key} if key else {})}
    return await call(app, "PUT", path, json.dumps({"reason": reason}).encode(), headers)


async def listed(app: App, query: str = "", key: str = "") -> list[tuple[str, str, str]]:
    answer = await call(app, "GET", f"/suppressions{query}", headers={"x-api-key": key} if key else None)
    assert answer.status == 200
    return [(one["channel"], one["address"], one["reason"]) for one in answer.document["suppressions"]]


async def test_a_dead_address_can_be_seen_and_lifted_and_mail_goes_there_again(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(DEAD)).settle_in()
    app = serve.build("console", world.resources)
    await world.post("first", prefers=Channel.EMAIL)
    await world.deliver_everything()
    seen = await listed(app)

    lifted = await call(app, "DELETE", f"/suppressions/email/{ADDRESS}")
    again = await call(app, "DELETE", f"/suppressions/email/{ADDRESS}")
    await world.post("second", prefers=Channel.EMAIL)
    await world.deliver_everything()

    assert seen == [("email", ADDRESS, "smtp 550 5.1.1")]
    assert (lifted.status, again.status) == (204, 404)
    assert len(world.mail.letters) == 2
    assert await listed(app) == []


async def test_to_an_address_that_a_person_has_suppressed_nothing_is_sent(world: World) -> None:
    app = serve.build("console", world.resources)

    answer = await put(app, "email", ADDRESS)
    await world.post(prefers=Channel.EMAIL)
    await world.deliver_everything()

    assert (answer.status, answer.document["reason"]) == (200, "asked for it")
    assert world.mail.letters == []


async def test_an_address_is_kept_in_the_form_in_which_users_have_it(app: App) -> None:
    answers = [await put(app, "email", "Ada@EXAMPLE.com"), await put(app, "sms", "+1-555-123-4567")]

    assert [answer.document["address"] for answer in answers] == ["Ada@example.com", "+15551234567"]


async def test_to_suppress_twice_keeps_the_newer_reason(app: App) -> None:
    await put(app, "email", ADDRESS, "first")
    await put(app, "email", ADDRESS, "second")

    assert await listed(app) == [("email", ADDRESS, "second")]


@pytest.mark.parametrize(
    ("channel", "address", "reason"),
    [
        ("email", "no address", "why"),
        ("email", "a@b.test\r\nBcc: c@d.test", "why"),
        ("sms", "5", "why"),
        ("push", "token", "why"),
        ("pigeon", "roof", "why"),
        ("email", ADDRESS, ""),
        ("email", ADDRESS, "x" * 201),
        ("email", ADDRESS, "a\x00b"),
        ("email", ADDRESS, 5),
    ],
)
async def test_what_cannot_be_suppressed_is_refused(app: App, channel: str, address: str, reason: object) -> None:
    answer = await put(app, channel, address, reason)

    assert answer.status in {400, 404, 422}  # with a line break in it there is no such place
    assert answer.headers["content-type"] == "application/problem+json"
    assert await listed(app) == []


async def test_a_long_list_comes_in_pages_and_by_channel(app: App, store: Store) -> None:
    for number in range(PAGE + 5):
        await store.suppressions.put(TENANT, Channel.EMAIL, f"{number:03}@example.test", "full")
    await store.suppressions.put(TENANT, Channel.SMS, "+15551234567", "gone")

    first = (await call(app, "GET", "/suppressions?channel=email")).document
    rest = (await call(app, "GET", f"/suppressions?channel=email&cursor={first['next_cursor']}")).document

    addresses = [one["address"] for page in (first, rest) for one in page["suppressions"]]
    assert addresses == [f"{number:03}@example.test" for number in range(PAGE + 5)]
    assert (len(first["suppressions"]), rest["next_cursor"]) == (PAGE, None)
    assert await listed(app, "?channel=sms") == [("sms", "+15551234567", "gone")]


@pytest.mark.parametrize("query", ["channel=pigeon", "cursor=", "cursor=x", "cursor=AAAA", "cursor=%C3%A4"])
async def test_a_filter_that_is_none_is_refused(app: App, query: str) -> None:
    assert (await call(app, "GET", f"/suppressions?{query}")).status == 422


async def test_a_tenant_sees_and_lifts_its_own_alone(store: Store) -> None:
    app = serve.build("console", resources(store, api_keys=SecretStr("shop:right,other:another")))
    await put(app, "email", ADDRESS, key="right")

    seen = await listed(app, key="another")
    lifted = await call(app, "DELETE", f"/suppressions/email/{ADDRESS}", headers={"x-api-key": "another"})
    without = await call(app, "GET", "/suppressions")

    assert (seen, lifted.status, without.status) == ([], 404, 401)
    assert await listed(app, key="right") == [("email", ADDRESS, "asked for it")]


async def test_that_one_was_lifted_is_logged_without_the_address(app: App, caplog: pytest.LogCaptureFixture) -> None:
    await put(app, "email", ADDRESS)
    caplog.set_level(logging.INFO)

    await call(app, "DELETE", f"/suppressions/email/{ADDRESS}")

    (told,) = [record for record in caplog.records if record.getMessage() == "a suppression was lifted"]
    assert ADDRESS not in str(vars(told))
