"""Who calls, and for which tenant."""

from __future__ import annotations

import pytest

from shared.auth import Keys
from shared.auth.key_format import is_key, make_key
from shared.errors import Refused
from shared.settings import Settings

KEYS = "acme:first-key,globex:second-key"


def keys(pairs: str = KEYS) -> Keys:
    return Keys(Settings(api_keys=pairs))


@pytest.mark.parametrize(
    ("headers", "tenant"),
    [
        ({"authorization": "Bearer first-key"}, "acme"),
        ({"authorization": "bearer second-key"}, "globex"),
        ({"authorization": "Bearer  first-key "}, "acme"),
        ({"x-api-key": "second-key"}, "globex"),
        ({"authorization": "Basic xyz", "x-api-key": "first-key"}, "acme"),
    ],
)
def test_a_key_names_its_tenant(headers: dict[str, str], tenant: str) -> None:
    assert keys().caller(headers).tenant == tenant


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer nobodys-key"},
        {"authorization": "first-key"},
        {"authorization": "Basic first-key"},
        {"authorization": "Bearer nobodys-key", "x-api-key": "first-key"},
        {"authorization": "Bearer acme:first-key"},
        {"x-api-key": ""},
        {"x-api-key": "FIRST-KEY"},
        {"x-api-key": "first-key\udcff"},
        {"x-api-key": "first-key,second-key"},
    ],
)
def test_a_call_without_a_key_of_ours_is_refused_without_repeating_it(headers: dict[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        keys().caller(headers)

    assert caught.value.status == 401
    assert "nobodys-key" not in caught.value.detail


def test_without_keys_on_this_machine_everybody_is_the_default_tenant() -> None:
    open_to_all = Keys(Settings(api_keys=None, host="127.0.0.1"))

    assert open_to_all.caller({"x-api-key": "anything"}).tenant == "default"


def test_keys_are_not_kept_in_the_clear() -> None:
    kept = repr(vars(keys()))

    assert "first-key" not in kept
    assert "acme" in kept


def test_a_key_that_was_made_is_known_by_its_look_and_no_other_is() -> None:
    made = {make_key() for _ in range(100)}
    one = made.pop()
    other = "a" if one[10] != "a" else "b"

    assert len(made) == 99
    assert all(is_key(key) and key.startswith("ck_") and len(key) == 52 for key in made)
    assert not any(
        map(is_key, [one[:10] + other + one[11:], one[:-1], one + "0", one.lower(), one[3:], "", one + "\n"])
    )
