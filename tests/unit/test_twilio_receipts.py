"""What Twilio's status callbacks mean, and which of them Twilio wrote."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from shared.twilio.answers import FAILED_STATUSES
from shared.twilio.receipts import STATUSES, TwilioReceipt, is_signed, receipt_of

TOKEN = "12345"
URL = "https://carillon.example/callbacks/twilio?tenant=default&id=1"
FORM = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+15551234567"}


def signed(url: str, form: dict[str, str], token: str = TOKEN) -> str:
    text = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


@pytest.mark.parametrize(
    ("status", "receipt"),
    [
        ("accepted", None),
        ("scheduled", None),
        ("queued", None),
        ("sending", None),
        ("sent", None),
        ("delivered", "delivered"),
        ("partially_delivered", "delivered"),
        ("read", "read"),
        ("undelivered", "failed"),
        ("failed", "failed"),
        ("canceled", "failed"),
    ],
)
def test_each_status_of_a_message_is_a_receipt_or_changes_nothing(status: str, receipt: str | None) -> None:
    found = receipt_of({"MessageSid": "SM1", "MessageStatus": status})

    assert found is not None
    assert (found.sid, found.receipt) == ("SM1", receipt)
    assert bool(found.reason) == (receipt == "failed")


def test_every_status_that_the_sdk_knows_of_an_outgoing_message_has_a_row() -> None:
    from twilio.rest.api.v2010.account.message import MessageInstance

    known = {value for name, value in vars(MessageInstance.Status).items() if name.isupper()}

    assert known - {"receiving", "received"} == set(STATUSES)


def test_a_message_that_failed_later_is_one_that_a_look_up_takes_for_failed() -> None:
    assert {status for status, receipt in STATUSES.items() if receipt == "failed"} == FAILED_STATUSES


@pytest.mark.parametrize(
    ("code", "told", "words", "suppress"),
    [
        ("30003", "twilio 30003", "reached", False),
        ("30004", "twilio 30004", "blocks", False),
        ("30005", "twilio 30005", "no such number", True),
        ("30006", "twilio 30006", "landline", False),
        ("30007", "twilio 30007", "spam", False),
        ("30008", "twilio 30008", "does not say", False),
        ("21610", "twilio 21610", "STOP", True),
        ("63016", "twilio 63016", "template", False),
        ("63024", "twilio 63024", "WhatsApp", True),
        ("63018", "twilio 63018", "WhatsApp", False),
        ("39999", "twilio undelivered", "could not deliver", False),
        ("", "twilio undelivered", "could not deliver", False),
        ("odd", "twilio undelivered", "could not deliver", False),
        ("²", "twilio undelivered", "could not deliver", False),
        ("9" * 5000, "twilio undelivered", "could not deliver", False),
    ],
)
def test_a_failure_says_why_and_whether_the_number_is_dead(code: str, told: str, words: str, suppress: bool) -> None:
    found = receipt_of({"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": code})

    assert found is not None
    assert (found.receipt, found.code, found.suppress) == ("failed", told, suppress)
    assert words in found.reason


def test_a_delivered_message_suppresses_nothing_whatever_code_comes_along() -> None:
    found = receipt_of({**FORM, "ErrorCode": "30005"})

    assert found == TwilioReceipt(sid="SM1", receipt="delivered", code="twilio delivered")


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"MessageSid": "SM1"},
        {"MessageStatus": "delivered"},
        {"MessageSid": "", "MessageStatus": "delivered"},
        {"MessageSid": "SM1", "MessageStatus": "exploded"},
        {"MessageSid": "SM1", "MessageStatus": "received"},
    ],
)
def test_a_form_that_is_no_receipt_is_none(form: dict[str, str]) -> None:
    assert receipt_of(form) is None


def test_what_twilio_signed_is_known() -> None:
    assert is_signed(TOKEN, URL, FORM, signed(URL, FORM))


@pytest.mark.parametrize(
    ("token", "url", "form"),
    [
        ("another", URL, FORM),
        (TOKEN, URL.replace("id=1", "id=2"), FORM),
        (TOKEN, URL.replace("https", "http"), FORM),
        (TOKEN, URL, {**FORM, "MessageStatus": "failed"}),
        (TOKEN, URL, {**FORM, "More": "1"}),
    ],
)
def test_what_was_changed_on_the_way_is_not(token: str, url: str, form: dict[str, str]) -> None:
    assert not is_signed(token, url, form, signed(URL, FORM))


@pytest.mark.parametrize("signature", [None, "", "nonsense", "ü", "=" * 28])
def test_what_is_not_signed_is_refused_without_an_exception(signature: str | None) -> None:
    assert not is_signed(TOKEN, URL, FORM, signature)


def test_an_address_that_is_none_is_refused_without_an_exception() -> None:
    assert not is_signed(TOKEN, "https://carillon.example:port/", FORM, "nonsense")


def test_the_port_that_the_scheme_means_may_be_written_or_not() -> None:
    with_port = URL.replace("example/", "example:443/")

    assert is_signed(TOKEN, URL, FORM, signed(with_port, FORM))
    assert is_signed(TOKEN, with_port, FORM, signed(URL, FORM))
