"""What happens after an attempt of which nobody knows whether Twilio took it: it looks there before it sends again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from infrastructure.sandbox.behaviours import Behaviour, number_for
from infrastructure.sandbox.http import Act, Answer
from infrastructure.sandbox.mailbox import Content, Received
from infrastructure.sandbox.twilio import failing_number, looking_for, refusal
from shared.statuses import Channel, OutcomeKind
from tests.contract.mail_server import until
from tests.contract.twilio_line import (
    ACCEPTED,
    ADA,
    AMBIGUOUS,
    FAULT,
    IMPATIENT_SECONDS,
    NEITHER,
    SENDERS,
    SMS,
    TEXT,
    THROTTLED,
    TRANSIENT,
    WHATSAPP,
    House,
    client,
    judged,
    letter,
    sandbox,
)

IN_DOUBT_SECONDS = 5.0
SERVICE = f"MG{'7' * 32}"
TEMPLATE = {"content_sid": f"HX{'1' * 32}", "content_variables": {"1": "Ada"}}


def there_is(
    house: House,
    to: str = ADA,
    text: str = TEXT,
    *,
    channel: Channel = SMS,
    sender: str | None = None,
    age_seconds: float = 0.0,
) -> None:
    """Let Twilio have a message already."""
    content = Content(text=text, message_id=f"SM{'e' * 32}")
    message = Received(channel=channel, to=to, sender=sender or SENDERS[channel], content=content)
    message.received_at = datetime.now(UTC) - timedelta(seconds=age_seconds)
    house.mailbox.keep(message)


@pytest.mark.parametrize("channel", [SMS, WHATSAPP])
async def test_what_twilio_took_before_the_line_was_cut_is_not_sent_again(channel: Channel) -> None:
    to = number_for(Behaviour.CUT)

    async with sandbox() as house, client(house.url, channel) as provider:
        first = await provider.send(letter(to, channel))
        second = await provider.send(letter(to, channel, in_doubt_for_seconds=IN_DOUBT_SECONDS))

        (message,) = house.mailbox.newest()
        assert (first.kind, second.kind) == (AMBIGUOUS, ACCEPTED)
        assert second.provider_message_id == message.content.message_id
        assert "already" in second.reason
        assert list(house.room.calls) == [to, looking_for(to)]


@pytest.mark.parametrize("channel", [SMS, WHATSAPP])
async def test_what_twilio_did_not_take_is_sent(channel: Channel) -> None:
    to = number_for(Behaviour.RESET)

    async with sandbox() as house, client(house.url, channel) as provider:
        await provider.send(letter(to, channel))
        house.room.will_answer(to, Behaviour.ACCEPTED)
        outcome = await provider.send(letter(to, channel, in_doubt_for_seconds=IN_DOUBT_SECONDS))

        assert (outcome.kind, outcome.code) == (ACCEPTED, "twilio queued")
        assert list(house.room.calls) == [to, looking_for(to), to]
        assert len(house.mailbox) == 1


async def test_without_doubt_nobody_looks() -> None:
    async with sandbox() as house, client(house.url) as provider:
        there_is(house)
        outcome = await provider.send(letter())

        assert outcome.code == "twilio queued"
        assert list(house.room.calls) == [ADA]


async def test_an_earlier_message_that_failed_is_sent_again() -> None:
    to = failing_number(30003)

    async with sandbox() as house, client(house.url) as provider:
        there_is(house, to)
        outcome = await provider.send(letter(to, in_doubt_for_seconds=IN_DOUBT_SECONDS))

        assert outcome.code == "twilio queued"


@pytest.mark.parametrize(
    ("age_seconds", "code"),
    [
        (IN_DOUBT_SECONDS, "twilio found delivered"),
        (IN_DOUBT_SECONDS + 50, "twilio found delivered"),  # the clocks may differ by a minute
        (IN_DOUBT_SECONDS + 70, "twilio queued"),
    ],
)
async def test_the_same_words_from_before_the_first_attempt_are_another_message(age_seconds: float, code: str) -> None:
    async with sandbox() as house, client(house.url) as provider:
        there_is(house, age_seconds=age_seconds)
        outcome = await provider.send(letter(in_doubt_for_seconds=IN_DOUBT_SECONDS))

        assert outcome.code == code


@pytest.mark.parametrize(
    "other",
    [
        {"text": f"{TEXT}!"},
        {"text": f"And another thing: {TEXT}"},
        {"to": "+15551234568"},
        {"sender": "+15559999999"},
        {"channel": WHATSAPP},
    ],
)
async def test_another_message_is_not_taken_for_ours(other: dict[str, str]) -> None:
    async with sandbox() as house, client(house.url) as provider:
        there_is(house, **other)  # type: ignore[arg-type]
        outcome = await provider.send(letter(in_doubt_for_seconds=IN_DOUBT_SECONDS))

        assert outcome.code == "twilio queued"


async def test_what_a_trial_account_writes_before_the_text_hides_nothing() -> None:
    async with sandbox() as house, client(house.url) as provider:
        there_is(house, text=f"Sent from your Twilio trial account - {TEXT}")
        outcome = await provider.send(letter(in_doubt_for_seconds=IN_DOUBT_SECONDS))

        assert outcome.code == "twilio found delivered"


async def test_what_a_messaging_service_sent_is_found_too() -> None:
    to = number_for(Behaviour.CUT)

    async with sandbox() as house, client(house.url, sender=SERVICE) as provider:
        await provider.send(letter(to))
        outcome = await provider.send(letter(to, in_doubt_for_seconds=IN_DOUBT_SECONDS))

        assert outcome.code == "twilio found delivered"
        assert len(house.mailbox) == 1


async def test_what_came_past_the_messaging_service_is_not_taken_for_its_own() -> None:
    async with sandbox() as house, client(house.url, sender=SERVICE) as provider:
        there_is(house)
        outcome = await provider.send(letter(in_doubt_for_seconds=IN_DOUBT_SECONDS))

        assert outcome.code == "twilio queued"


async def test_a_template_whose_words_are_not_the_letters_is_rather_sent_twice_than_lost() -> None:
    to = number_for(Behaviour.CUT)

    async with sandbox() as house, client(house.url, WHATSAPP) as provider:
        await provider.send(letter(to, WHATSAPP, options=TEMPLATE))
        outcome = await provider.send(letter(to, WHATSAPP, options=TEMPLATE, in_doubt_for_seconds=IN_DOUBT_SECONDS))

        assert outcome.code == "twilio queued"
        assert len(house.mailbox) == 2


FAILURES: list[tuple[Act, OutcomeKind, str, float | None]] = [
    (Behaviour.HANG, TRANSIENT, FAULT, None),
    (Behaviour.RESET, TRANSIENT, FAULT, None),
    (Behaviour.GARBAGE, TRANSIENT, FAULT, None),
    (Behaviour.TEMPFAIL, TRANSIENT, FAULT, None),
    (Behaviour.UNTRUSTED, TRANSIENT, FAULT, None),
    (Behaviour.THROTTLED, THROTTLED, NEITHER, 30),
    (refusal(400, 20001), TRANSIENT, NEITHER, None),
    (refusal(400, 21610), TRANSIENT, NEITHER, None),
    (Answer(status=500, body="oops"), TRANSIENT, FAULT, None),
    (Answer(body={}), TRANSIENT, FAULT, None),
    (Answer(body=[]), TRANSIENT, FAULT, None),
    (Answer(body={"messages": None}), TRANSIENT, FAULT, None),
    (Answer(body={"messages": ["odd"]}), TRANSIENT, FAULT, None),
    (Answer(body={"messages": [{"sid": None}]}), TRANSIENT, FAULT, None),
    (Answer(status=206, body={"messages": []}), TRANSIENT, FAULT, None),
]


@pytest.mark.parametrize(("act", "kind", "mark", "pause"), FAILURES)
async def test_where_nobody_can_look_nothing_is_sent_and_it_is_tried_later(
    act: Act, kind: OutcomeKind, mark: str, pause: float | None
) -> None:
    async with sandbox() as house, client(house.url, deadline_seconds=IMPATIENT_SECONDS) as provider:
        house.room.will_answer(looking_for(ADA), act, act)  # what only asks is asked once more after a cut
        outcome = await provider.send(letter(in_doubt_for_seconds=IN_DOUBT_SECONDS))

        assert (*judged(outcome), outcome.retry_after_seconds) == (kind, mark, pause)
        assert "nothing was sent" in outcome.reason
        assert (set(house.room.calls), len(house.mailbox)) == ({looking_for(ADA)}, 0)
        if act is Behaviour.HANG:
            await until(lambda: house.http.connections == 0)


@pytest.mark.parametrize(
    "record",
    [
        {"body": None, "date_created": None},
        {"body": TEXT, "date_created": "yesterday"},
        {"body": TEXT, "date_created": None, "status": None, "from": 17},
    ],
)
async def test_a_message_that_twilio_describes_in_part_is_not_taken_for_ours(record: dict[str, object]) -> None:
    async with sandbox() as house, client(house.url) as provider:
        told = {"sid": "SM1", "status": "sent", "from": SENDERS[SMS], **record}
        house.room.will_answer(looking_for(ADA), Answer(body={"messages": [told]}))
        outcome = await provider.send(letter(in_doubt_for_seconds=IN_DOUBT_SECONDS))

        assert outcome.code == "twilio queued"
