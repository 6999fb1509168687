"""The audit sees what breaks a promise: a run that is judged by it can be red."""

from __future__ import annotations

import pytest

from tests.chaos.audit import Breach, Document, Evidence, count_mails, judge
from tests.chaos.load import Posted
from tests.chaos.people import KINDS

KEY = "0b5a3c1e-6a4f-5c0e-9b51-1f4f0a6d2c11"
KIND = {kind.name: kind for kind in KINDS}
ENDED = {"deadline": None, "due_at": None, "tries": 1}


def posted(kind: str = "accepted", *, key: str = KEY, refusal: str = "") -> Posted:
    return Posted(marker="struck-1", kind=KIND[kind], user=f"{kind}-1", id=key, times=1, refusal=refusal)


def attempt(outcome: str = "accepted", *, channel: str = "email", ambiguous: bool = False) -> Document:
    return {"channel": channel, "outcome": outcome, "ambiguous": ambiguous, "code": ""}


def document(status: str = "sent", *attempts: Document, **deliveries: str) -> Document:
    shown = [{"channel": channel, "status": said, **ENDED} for channel, said in deliveries.items()]
    return {"id": KEY, "status": status, "deliveries": shown, "attempts": list(attempts)}


def breaches(one: Posted, said: Document | None, *, mails: int = 0, heard: int = 0, calm: bool = False) -> list[Breach]:
    evidence = Evidence(
        posted=[one],
        documents={KEY: said} if said else {},
        mails={one.marker: mails},
        heard={KEY: heard},
        is_calm=calm,
    )
    return [offence.breach for offence in judge(evidence).offences]


SENT = document("sent", attempt(), email="sent")
RESENT = document("sent", attempt("ambiguous", ambiguous=True), attempt(), email="sent")


def test_a_mail_that_was_sent_once_breaks_nothing() -> None:
    assert breaches(posted(), SENT, mails=1, calm=True) == []


def test_an_event_that_was_never_accepted_is_found() -> None:
    assert breaches(posted(key=""), None) == [Breach.NOT_ACCEPTED]


def test_an_event_that_was_refused_without_cause_is_found() -> None:
    assert breaches(posted(key="", refusal="422"), None) == [Breach.REFUSED]


def test_an_accepted_notification_that_the_api_does_not_know_is_lost() -> None:
    assert breaches(posted(), None, mails=1) == [Breach.LOST]


@pytest.mark.parametrize("status", ["pending", "queued", "compensating"])
def test_a_notification_that_has_not_ended_is_stuck(status: str) -> None:
    assert breaches(posted(), document(status)) == [Breach.STUCK]


def test_a_message_whose_acknowledgement_is_still_waited_for_has_not_ended() -> None:
    waiting = document("sent", attempt(channel="websocket"), websocket="sent")
    waiting["deliveries"][0]["deadline"] = "2026-11-20T10:00:00Z"

    assert breaches(posted("inbox-then-mail"), waiting, heard=1) == [Breach.STUCK]


def test_a_delivery_that_says_sent_and_left_no_mail_is_found() -> None:
    assert breaches(posted(), SENT, mails=0) == [Breach.SENT_WITHOUT_MAIL]


def test_an_inbox_message_that_nobody_heard_is_found() -> None:
    said = document("sent", attempt(channel="websocket"), websocket="sent")

    assert breaches(posted("inbox"), said, heard=0) == [Breach.SENT_WITHOUT_MAIL]
    assert breaches(posted("inbox"), said, heard=1) == []


def test_a_mail_of_which_no_record_tells_is_found() -> None:
    said = document("failed", attempt("permanent"), email="failed")

    assert breaches(posted("refused"), said, mails=1) == [Breach.UNRECORDED]


def test_a_duplicate_needs_an_ambiguous_record_each() -> None:
    assert breaches(posted(), SENT, mails=2) == [Breach.UNMATCHED]
    assert breaches(posted(), RESENT, mails=2) == []
    assert breaches(posted(), RESENT, mails=3) == [Breach.UNMATCHED]


def test_an_inbox_holds_a_notification_once() -> None:
    said = document("sent", attempt(channel="websocket"), attempt(channel="websocket"), websocket="sent")

    assert breaches(posted("inbox"), said, heard=1) == []
    assert breaches(posted("inbox"), said, heard=2) == [Breach.UNMATCHED]


def test_in_calm_a_matched_duplicate_is_a_breach_too() -> None:
    found = breaches(posted(), RESENT, mails=2, calm=True)

    assert found == [Breach.DUPLICATE, Breach.AMBIGUOUS]


def test_a_mail_server_that_hides_what_it_did_excuses_a_duplicate_in_calm() -> None:
    assert breaches(posted("cut"), RESENT, mails=2, calm=True) == []


def test_in_calm_everything_ends_as_its_recipient_makes_it() -> None:
    failed = document("failed", attempt("transient"), email="failed")

    assert breaches(posted(), failed, calm=True) == [Breach.OTHERWISE]
    assert breaches(posted(), failed) == []


def test_under_strikes_what_was_not_sent_has_an_attempt_that_says_why() -> None:
    assert breaches(posted(), document("failed", email="cancelled")) == [Breach.UNEXPLAINED]


def test_mails_are_counted_by_the_marker_in_their_text() -> None:
    raws = [b"Subject: x\r\n\r\nOrder struck-1. is on its way", b"Order struck-11. is", b"Order struck-1. is", b"other"]

    assert count_mails(raws) == {"struck-1": 2, "struck-11": 1}
