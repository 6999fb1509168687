"""The stand-ins for FCM and OneSignal, as their clients meet them."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import aiohttp
import pytest

from functions.deliver_push.access_tokens import GRANT
from functions.deliver_push.service_account import SCOPE, ServiceAccount
from infrastructure.sandbox import onesignal
from infrastructure.sandbox.google_login import PROJECT, Account
from infrastructure.sandbox.moods import Outage
from tests.contract.push_server import Phones, phones

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Client:
    """A client that says what it likes."""

    def __init__(self, standing: Phones, session: aiohttp.ClientSession) -> None:
        self.standing = standing
        settings = standing.settings("fcm")
        self.account = ServiceAccount.read(settings["fcm_service_account"].get_secret_value())
        self._session = session

    async def post(self, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
        """Post a body; return the status and the document."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.post(f"{self.standing.http.url}{path}", data=body, headers=named) as answer:
            return answer.status, await answer.json()

    async def log_in(self, account: ServiceAccount | None = None, grant: str = GRANT, **claims: Any) -> tuple[int, Any]:
        """Ask for an access token with claims of one's own."""
        known = self.account.claims(time.time())
        assertion = (account or self.account).signer()({**known, **claims}).decode()
        form = urlencode({"grant_type": grant, "assertion": assertion}).encode()
        return await self.post("/fcm/token", form, **FORM)

    async def send(self, message: object, project: str = PROJECT) -> tuple[int, Any]:
        """Send a message with a good access token."""
        _, said = await self.log_in()
        body = json.dumps({"message": message}).encode()
        path = f"/fcm/v1/projects/{project}/messages:send"
        return await self.post(path, body, Authorization=f"Bearer {said['access_token']}")

    async def notify(self, key: str = f"Key {onesignal.API_KEY}", **said: Any) -> tuple[int, Any]:
        """Ask OneSignal for a notification."""
        known = {
            "app_id": onesignal.APP,
            "include_subscription_ids": ["phone"],
            "contents": {"en": "Hello"},
            "idempotency_key": str(uuid4()),
        }
        return await self.post("/onesignal/notifications", json.dumps({**known, **said}).encode(), Authorization=key)


@pytest.fixture
async def anybody() -> AsyncIterator[Client]:
    async with phones() as standing, aiohttp.ClientSession() as session:
        yield Client(standing, session)


async def test_a_claim_that_the_account_signed_is_given_an_access_token(anybody: Client) -> None:
    status, said = await anybody.log_in()

    assert (status, said["token_type"]) == (200, "Bearer")
    assert 3000 < said["expires_in"] <= 3600


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "somebody@example.test"},
        {"aud": "https://oauth2.googleapis.com/token"},
        {"scope": SCOPE + ".else"},
        {"iat": int(time.time()) - 7200, "exp": int(time.time()) - 3600},
        {"exp": int(time.time()) + 7200},
        {"iat": "now"},
    ],
)
async def test_a_claim_of_something_else_is_refused(anybody: Client, claims: dict[str, Any]) -> None:
    status, said = await anybody.log_in(**claims)

    assert (status, said["error"]) == (400, "invalid_grant")


async def test_a_claim_that_somebody_else_signed_is_refused(anybody: Client) -> None:
    other = ServiceAccount.read(Account().document(anybody.account.token_uri))

    status, said = await anybody.log_in(other)

    assert (status, said["error_description"]) == (400, "Invalid JWT Signature.")


@pytest.mark.parametrize("assertion", ["", "a.b.c", "e30.e30.e30", "W10.W10.W10", "ü.ü.ü", "a"])
async def test_what_is_no_signed_claim_is_refused(anybody: Client, assertion: str) -> None:
    form = urlencode({"grant_type": GRANT, "assertion": assertion}).encode()

    status, said = await anybody.post("/fcm/token", form, **FORM)

    assert (status, said["error"]) == (400, "invalid_grant")


async def test_another_way_to_log_in_is_not_offered(anybody: Client) -> None:
    assert (await anybody.log_in(grant="password"))[1]["error"] == "unsupported_grant_type"


async def test_fcm_takes_no_message_without_an_access_token(anybody: Client) -> None:
    status, said = await anybody.post(f"/fcm/v1/projects/{PROJECT}/messages:send", b"{}", Authorization="Bearer mine")

    assert (status, said["error"]["status"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "message",
    [
        None,
        {},
        {"token": 7},
        {"token": "phone", "data": {"count": 7}},
        {"token": "phone", "data": []},
        {"token": "phone", "notification": {"body": "x" * 5000}},
    ],
)
async def test_fcm_calls_a_message_that_it_cannot_read_an_invalid_argument(anybody: Client, message: object) -> None:
    status, said = await anybody.send(message)

    assert (status, said["error"]["details"][0]["errorCode"]) == (400, "INVALID_ARGUMENT")
    assert len(anybody.standing.mailbox) == 0


async def test_fcm_takes_messages_for_its_own_project_alone(anybody: Client) -> None:
    assert [(await anybody.send({"token": "phone"}, name))[0] for name in ("another", PROJECT)] == [403, 200]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, 200),
        ({"key": "Key wrong"}, 403),
        ({"app_id": "another"}, 400),
        ({"include_subscription_ids": []}, 400),
        ({"include_subscription_ids": ["a", "b"]}, 400),
        ({"contents": {}}, 400),
        ({"contents": "Hello"}, 400),
        ({"idempotency_key": "0b5a3c1e-6a4f-5c0e-9b51-1f4f0a6d2c11"}, 400),
        ({"idempotency_key": "mine"}, 400),
    ],
)
async def test_onesignal_takes_what_is_whole(anybody: Client, said: dict[str, Any], status: int) -> None:
    assert (await anybody.notify(**said))[0] == status
    assert len(anybody.standing.mailbox) == (1 if status == 200 else 0)


async def test_onesignal_answers_a_known_key_with_what_it_said_before(anybody: Client) -> None:
    key = str(uuid4())

    first, again, other = [await anybody.notify(idempotency_key=one) for one in (key, key, str(uuid4()))]

    assert first == again
    assert other[1]["id"] != first[1]["id"]
    assert len(anybody.standing.mailbox) == 2


@pytest.mark.parametrize("service", ["fcm", "onesignal"])
async def test_a_provider_that_is_away_cuts_every_call(anybody: Client, service: str) -> None:
    anybody.standing.http.rooms[service].moods.outage = Outage.RESET

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await (anybody.send({"token": "phone"}) if service == "fcm" else anybody.notify())
