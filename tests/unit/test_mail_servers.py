"""One mail server or several: what SMTP_URL says of each."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import SecretStr

from functions.deliver_email import main
from functions.deliver_email.relay import Encryption, Relay, read_relays
from shared.errors import SettingMissing
from shared.outcomes import Line
from shared.runtime import Resources
from shared.settings import Settings
from shared.store import Store

FIRST, SECOND, THIRD = "smtp://one.test", "smtps://user:pw@two.test:4650", "smtp://three.test"


def resources(**said: Any) -> Resources:
    settings = Settings(email_from="Carillon <carillon@example.test>", **said)
    return Resources(settings=settings, store=cast(Store, SimpleNamespace()), broker=cast(Any, SimpleNamespace()))


def smtp_url(*urls: str) -> dict[str, SecretStr]:
    return {"smtp_url": SecretStr(" ".join(urls))}


def named(lines: list[Line]) -> list[tuple[str, int]]:
    return [(line.provider.name, line.weight) for line in lines]


def test_several_mail_servers_have_names_and_weights() -> None:
    relays = read_relays(f"{FIRST}?weight=3 {SECOND}\n{THIRD}?name=backup&weight=100")

    assert [(relay.host, relay.name, relay.weight) for relay in relays] == [
        ("one.test", "smtp", 3),
        ("two.test", "smtp-2", 1),
        ("three.test", "backup", 100),
    ]
    assert (relays[1].port, relays[1].password, relays[1].encryption) == (4650, "pw", Encryption.FROM_THE_START)


@pytest.mark.parametrize(
    "urls",
    [
        "",
        " ",
        f"{FIRST}?weight=0",
        f"{FIRST}?weight=101",
        f"{FIRST}?weight=-1",
        f"{FIRST}?weight=3.5",
        f"{FIRST}?weight=",
        f"{FIRST}?weight=²",
        f"{FIRST}?name=",
        f"{FIRST}?name=Two%20Words",
        f"{FIRST}?nmae=backup",
        f"{SECOND}?name={'a' * 33}",
        f"{FIRST}?name=smtp-2 {SECOND}",
        f"{FIRST} {SECOND} nonsense",
    ],
)
def test_what_makes_no_sense_behind_a_mail_server_stops_the_start_and_shows_no_password(urls: str) -> None:
    with pytest.raises(SettingMissing, match="SMTP_URL") as missing:
        read_relays(urls)

    assert "pw" not in str(missing.value)


def test_each_mail_server_of_the_settings_is_a_line_with_its_weight() -> None:
    lines = main.lines(resources(**smtp_url(f"{FIRST}?weight=3", f"{SECOND}?name=backup")))

    assert named(lines) == [("smtp", 3), ("backup", 1)]


def test_one_mail_server_is_a_line_of_its_own() -> None:
    assert named(main.lines(resources(**smtp_url(FIRST)))) == [("smtp", 1)]


def test_without_a_mail_server_the_start_says_what_is_missing() -> None:
    with pytest.raises(SettingMissing, match="SMTP_URL is not set"):
        main.lines(resources(smtp_url=None))


def test_an_address_of_this_installation_that_no_mail_can_hold_stops_the_start() -> None:
    with pytest.raises(SettingMissing, match="PUBLIC_URL"):
        main.lines(resources(public_url="notify.example.test", **smtp_url(FIRST)))


def test_a_mail_server_of_one_url_needs_no_name() -> None:
    assert Relay.parse(FIRST) == Relay(host="one.test", port=587, name="smtp", weight=1)
