"""What comes in as an address is one address, in one form, or is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from functions.directory.documents import UserDocument
from infrastructure.sandbox.behaviours import Behaviour, chat_for, number_for
from infrastructure.sandbox.recipients import FATES
from shared.addresses import AddressMalformed, AsciiEmail, Email, Phone, check_address, on_the_wire

EMAIL, ASCII_EMAIL, PHONE = TypeAdapter(Email), TypeAdapter(AsciiEmail), TypeAdapter(Phone)
QUICK = settings(max_examples=150, deadline=None, database=None)

AWKWARD = st.text('ab.@<>()[]\\,;:" \t\r\n\0\x7f\x85\xa0äß\u200b\u2028+-_%\u0301', max_size=30)
NEARLY = st.builds("{}@{}".format, AWKWARD, AWKWARD | st.sampled_from(["example.test", "bücher.example", "localhost"]))


def accepted(adapter: TypeAdapter[str], text: object) -> str | None:
    try:
        return adapter.validate_python(text)
    except ValidationError:
        return None


@pytest.mark.parametrize(
    "address",
    ["ada@example.test", "a.d-a+tag@mail.example.test", "root@localhost", "ädä@example.test", "ada@bücher.example"],
)
def test_an_address_of_a_person_passes(address: str) -> None:
    check_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "@example.test",
        "ada@",
        "ada@@example.test",
        "ada@example.test\r\nRCPT TO:<eve@example.test>",
        "ada@example.test\n",
        "ada\0@example.test",
        "<ada@example.test>",
        "ada@example.test>",
        "ada lovelace@example.test",
        "ada\u00a0lovelace@example.test",
        "ada@example.test, eve@example.test",
        "ada..lovelace@example.test",
        ".ada@example.test",
        "ada@-example.test",
        "ada@example..test",
        "ada@[127.0.0.1]",
        '"ada"@example.test',
        f"{'a' * 65}@example.test",
        f"ada@{'a.' * 130}test",
        "ada\ud800@example.test",
    ],
)
def test_what_is_no_address_is_refused_without_being_quoted(address: str) -> None:
    with pytest.raises(AddressMalformed) as refused:
        check_address(address)

    assert "ada" not in str(refused.value)


@QUICK
@given(text=NEARLY | st.emails() | st.text(max_size=80))
@example("ada@example.test\r\nRCPT TO:<eve@example.test>")
@example("ada@example.test\n")
@example(f"{'ä' * 40}@example.test")
def test_whatever_passes_is_one_address_and_cannot_end_a_command_or_a_header(text: str) -> None:
    passed = accepted(EMAIL, text)

    if passed is not None:
        check_address(passed)
        assert not re.search(r"[\s<>,;:\"\x00-\x20\x7f-\xa0]", passed)
        assert passed.count("@") == 1
        assert accepted(EMAIL, passed) == passed


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ada@example.test", "ada@example.test"),
        ("Ada.Lovelace+tag@Example.TEST", "Ada.Lovelace+tag@example.test"),
        ("root@localhost", "root@localhost"),
        ("ada@printer.local", "ada@printer.local"),
        ("ädä@bücher.example", "ädä@bücher.example"),
        ("ada@xn--bcher-kva.example", "ada@bücher.example"),
        *[(f"{name.replace('N', '2')}@example.test", f"{name.replace('N', '2')}@example.test") for name in FATES],
    ],
)
def test_an_address_is_kept_in_one_form(text: str, kept: str) -> None:
    assert accepted(EMAIL, text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "ada",
        "ada@",
        "Ada <ada@example.test>",
        "ada@example.test,eve@example.test",
        '"ada"@example.test',
        "ada@[127.0.0.1]",
        "ada\x01@example.test",
        f"{'a' * 65}@example.test",
        f"{'ä' * 40}@example.test",
        "ada@exa_mple.test",
        1,
        None,
    ],
)
def test_what_is_no_address_is_refused(text: object) -> None:
    assert accepted(EMAIL, text) is None


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("ada@example.test", "ada@example.test"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ädä@bücher.example", "ädä@bücher.example"),
        ("ada@büch er", "ada@büch er"),
    ],
)
def test_only_a_local_part_beyond_ascii_needs_a_server_that_takes_it(address: str, written: str) -> None:
    assert on_the_wire(address) == written


def test_an_address_for_answers_is_one_that_every_server_takes() -> None:
    assert accepted(ASCII_EMAIL, "help@bücher.example") == "help@xn--bcher-kva.example"
    assert accepted(ASCII_EMAIL, "hälp@example.test") is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("+15551234567", "+15551234567"),
        ("+1 (650) 253-0000", "+16502530000"),
        ("+49 30 901820", "+4930901820"),
        ("+390612345678", "+390612345678"),
        *[(number_for(behaviour, 7), number_for(behaviour, 7)) for behaviour in Behaviour],
    ],
)
def test_a_phone_number_is_kept_as_the_world_dials_it(text: str, kept: str) -> None:
    assert accepted(PHONE, text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5551234567",
        "+0123456789",
        "+1555",
        "+99912345678",
        "+1-800-FLOWERS",
        "+15551234567;ext=5",
        "+1 555\n",
        1,
        None,
    ],
)
def test_what_no_phone_could_have_is_refused(text: object) -> None:
    assert accepted(PHONE, text) is None


@QUICK
@given(text=st.text("+0123456789 ()-./", max_size=24).map("+".__add__) | st.text(max_size=30))
def test_whatever_passes_as_a_phone_number_is_digits_alone(text: str) -> None:
    passed = accepted(PHONE, text)

    if passed is not None:
        assert re.fullmatch(r"\+[1-9][0-9]{3,15}", passed)
        assert accepted(PHONE, passed) == passed


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("42", "42"),
        (42, "42"),
        (-1001234567890, "-1001234567890"),
        ("@carillon_news", "@carillon_news"),
        (chat_for(Behaviour.REFUSED), chat_for(Behaviour.REFUSED)),
    ],
)
def test_a_telegram_chat_is_an_id_or_a_channels_name(said: object, kept: str) -> None:
    assert UserDocument.model_validate({"telegram": said}).telegram == kept


@pytest.mark.parametrize(
    "said", ["", "0", "-0", "007", "ada", "@ada", "@1abcd", "@" + "a" * 33, "1" * 17, "1\n", True, 1.5]
)
def test_what_no_telegram_chat_can_be_is_refused(said: Any) -> None:
    with pytest.raises(ValidationError):
        UserDocument.model_validate({"telegram": said})
