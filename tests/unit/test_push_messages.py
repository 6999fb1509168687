"""How a letter is written for a device, who we are to FCM, and which provider a tenant uses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from pydantic import SecretStr, ValidationError

from functions.deliver_push import fcm_message, onesignal
from functions.deliver_push.collapsing import collapse_id
from functions.deliver_push.main import push
from functions.deliver_push.service_account import NEEDED, ServiceAccount
from shared.errors import SettingMissing
from shared.outcomes import Letter
from shared.runtime import Resources
from shared.settings import Settings
from shared.statuses import PushService
from tests.contract.push_server import letter

KEY = UUID("0b5a3c1e-6a4f-5c0e-9b51-1f4f0a6d2c11")
NOW = 1_700_000_000.0
OPTIONS = {"image_url": "https://example.test/a.png", "link": "https://example.test/1", "data": {"order": "1"}}
ACCOUNT = {"project_id": "p", "client_email": "a@p.example.test", "private_key": "SECRET", "token_uri": "http://t.test"}


def for_fcm(message: Letter) -> dict[str, Any]:
    return fcm_message.compose(message, "token", NOW)


def test_fcm_gets_the_words_the_time_to_live_and_the_apps_data() -> None:
    message = letter(key=KEY, options=OPTIONS, expires_in_seconds=90.9)

    written = for_fcm(message)

    assert written["token"] == "token"
    assert written["notification"] == {
        "title": message.subject, "body": message.text, "image": OPTIONS["image_url"],
    }  # fmt: skip
    data = {"notification_id": str(message.notification_id), "link": OPTIONS["link"], "order": "1"}
    assert written["data"] == data
    assert written["android"]["ttl"] == "90s"
    assert written["apns"]["headers"]["apns-expiration"] == str(int(NOW) + 90)
    assert written["apns"]["fcm_options"] == {"image": OPTIONS["image_url"]}
    assert written["webpush"]["fcm_options"] == {"link": OPTIONS["link"]}


def test_a_repetition_takes_the_place_of_the_first_and_nothing_else_does() -> None:
    first, again, other = [for_fcm(letter(key=key)) for key in (KEY, KEY, UUID(int=1))]

    tags = [one["android"]["notification"]["tag"] for one in (first, again, other)]
    assert tags == [str(KEY), str(KEY), str(UUID(int=1))]
    assert [one["apns"]["headers"]["apns-collapse-id"] for one in (first, again, other)] == tags
    assert [one["webpush"]["notification"]["tag"] for one in (first, again, other)] == tags


def test_without_a_key_of_the_event_nothing_collapses_on_its_way_to_an_android_that_is_away() -> None:
    assert "collapse_key" not in for_fcm(letter())["android"]
    assert "collapse_id" not in onesignal.compose(letter(), "token")


def test_with_a_key_of_the_event_the_newer_takes_the_place_of_the_older() -> None:
    message = letter(collapse_key="score")

    written = for_fcm(message)

    assert written["android"]["collapse_key"] == "score"
    assert written["apns"]["headers"]["apns-collapse-id"] == "score"
    assert onesignal.compose(message, "token")["collapse_id"] == "score"


@pytest.mark.parametrize("key", ["x" * 65, "two words", "zeile\n", "größe", ""])
def test_a_key_that_no_header_takes_is_shortened_to_one_that_it_takes(key: str) -> None:
    shortened = collapse_id(letter(collapse_key=key))

    assert shortened is not None
    assert len(shortened.encode()) == 64
    assert shortened == collapse_id(letter(collapse_key=key))


def test_the_limit_counts_bytes_and_not_characters() -> None:
    sizes = [fcm_message.payload_bytes(for_fcm(letter(text=text))) for text in ("a" * 100, "ü" * 100)]

    assert sizes[1] - sizes[0] == 100


def test_onesignal_gives_back_what_a_receipt_needs_whatever_the_event_says() -> None:
    message = letter(options={"data": {"order": "1", "notification_id": "theirs", "epoch": "7"}}, epoch=3)

    data = onesignal.compose(message, "token")["data"]

    assert data == {"order": "1", "notification_id": str(message.notification_id), "epoch": "3"}


@pytest.mark.parametrize(("link", "field"), [("https://example.test/1", "url"), ("shop://orders/1", "app_url")])
def test_onesignal_opens_the_web_in_a_browser_and_anything_else_in_the_app(link: str, field: str) -> None:
    document = onesignal.compose(letter(options={**OPTIONS, "link": link}, expires_in_seconds=-3), "token")

    assert document[field] == link
    assert document["include_subscription_ids"] == ["token"]
    assert (document["big_picture"], document["ttl"]) == (OPTIONS["image_url"], 0)
    assert document["data"]["order"] == "1"


def test_a_browser_opens_no_link_that_only_an_app_understands() -> None:
    assert "fcm_options" not in for_fcm(letter(options={"link": "shop://orders/1"}))["webpush"]


def test_a_service_account_is_read_from_its_json_or_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    path.write_text(json.dumps({**ACCOUNT, "type": "service_account", "private_key_id": "1"}))

    accounts = [ServiceAccount.read(str(path)), ServiceAccount.read(f"\n{path.read_text()}")]

    assert accounts[0] == accounts[1]
    assert (accounts[0].project_id, accounts[0].private_key_id) == ("p", "1")
    assert "SECRET" not in repr(accounts[0])


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("/nowhere/account.json", "file"),
        ("{SECRET", "JSON"),
        *[
            (json.dumps({name: text for name, text in ACCOUNT.items() if name != missing}), missing)
            for missing in NEEDED
        ],
        (json.dumps({**ACCOUNT, "private_key": 7}), "private_key"),
        (json.dumps({**ACCOUNT, "project_id": ""}), "project_id"),
    ],
)
def test_what_is_no_service_account_is_refused_at_the_start_without_being_quoted(setting: str, why: str) -> None:
    with pytest.raises(SettingMissing, match=why) as refused:
        ServiceAccount.read(setting)

    assert "SECRET" not in str(refused.value)


FCM_SET = {"fcm_service_account": SecretStr(json.dumps(ACCOUNT))}
ONESIGNAL_SET = {"onesignal_app_id": "app", "onesignal_api_key": SecretStr("SECRET")}

Open = Callable[..., Any]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Make the provider of settings that say only this."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return lambda **said: push(cast(Resources, SimpleNamespace(settings=Settings(**said))))


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (FCM_SET, "fcm"),
        (ONESIGNAL_SET, "onesignal"),
        ({**FCM_SET, **ONESIGNAL_SET}, "push"),
        ({**FCM_SET, **ONESIGNAL_SET, "push_providers": "*:onesignal"}, "onesignal"),
        ({**FCM_SET, **ONESIGNAL_SET, "push_providers": "acme:fcm,*:onesignal"}, "push"),
    ],
)
def test_the_provider_is_named_for_what_is_used(opened: Open, said: dict[str, Any], name: str) -> None:
    assert opened(**said).name == name


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "FCM_SERVICE_ACCOUNT or ONESIGNAL_APP_ID"),
        ({"onesignal_app_id": "app"}, "go together"),
        ({"onesignal_api_key": SecretStr("SECRET")}, "go together"),
        ({**FCM_SET, "onesignal_app_id": "app"}, "go together"),
        ({**FCM_SET, "push_providers": "acme:onesignal,*:fcm"}, "gives acme onesignal"),
        ({**ONESIGNAL_SET, "push_providers": "*:fcm"}, r"gives \* fcm"),
    ],
)
def test_push_without_a_provider_for_everybody_does_not_start(opened: Open, said: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingMissing, match=why) as missing:
        opened(**said)

    assert "SECRET" not in str(missing.value)


def test_a_tenant_is_given_its_providers() -> None:
    services = Settings(push_providers="acme:fcm, globex:onesignal+fcm,*:onesignal").push_services()

    assert services == {
        "acme": {PushService.FCM},
        "globex": {PushService.FCM, PushService.ONESIGNAL},
        "*": {PushService.ONESIGNAL},
    }
    assert Settings().push_services() == {"*": set(PushService)}


@pytest.mark.parametrize(
    "pairs", ["", "acme", "acme:", "acme:apns", ":fcm", "Acme:fcm", "acme:fcm,acme:onesignal", ","]
)
def test_pairs_that_give_nobody_a_provider_are_refused(pairs: str) -> None:
    with pytest.raises(ValidationError, match="push_providers"):
        Settings(push_providers=pairs)
