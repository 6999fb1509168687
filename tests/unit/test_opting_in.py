"""Which incoming messages mean that a person wants messages again."""

from __future__ import annotations

import pytest

from shared.statuses import Channel
from shared.twilio.answers import CODES
from shared.twilio.opting_in import STOP_REASONS, OptIn, opt_in_of
from shared.twilio.sender import Sender

OURS, THEIRS = "+15005550006", "+15551234567"
NUMBER = Sender(channel=Channel.SMS, name=OURS)
SERVICE = Sender(channel=Channel.SMS, name="MG1")
WHATSAPP = Sender(channel=Channel.WHATSAPP, name="+15005550007")
SENDERS = [NUMBER, WHATSAPP]

SAID = {
    "START": ({"Body": "START"}, True),
    "in small letters, with blanks": ({"Body": "  start\n"}, True),
    "UNSTOP": ({"Body": "unstop"}, True),
    "YES": ({"Body": "Yes"}, True),
    "Twilio says what it means": ({"Body": "wieder an", "OptOutType": "START"}, True),
    "Twilio says that it means another thing": ({"Body": "START", "OptOutType": "HELP"}, False),
    "STOP": ({"Body": "STOP"}, False),
    "STOP, as Twilio says": ({"Body": "START", "OptOutType": "STOP"}, False),
    "a sentence with the word in it": ({"Body": "when does it start"}, False),
    "nothing": ({}, False),
    "to another number": ({"Body": "START", "To": "+15005550001"}, False),
    "to nobody": ({"Body": "START", "To": ""}, False),
    "from a name": ({"Body": "START", "From": "Carillon"}, False),
    "from nobody": ({"Body": "START", "From": ""}, False),
    "from something longer": ({"Body": "START", "From": f"{THEIRS}' OR 1=1"}, False),
    "from WhatsApp to an SMS number": ({"Body": "START", "From": f"whatsapp:{THEIRS}"}, False),
    "from another channel of Twilio's": ({"Body": "START", "From": f"messenger:{THEIRS}"}, False),
}


@pytest.mark.parametrize(("form", "is_opt_in"), SAID.values(), ids=list(SAID))
def test_only_a_start_to_a_sender_of_ours_is_one(form: dict[str, str], is_opt_in: bool) -> None:
    found = opt_in_of({"From": THEIRS, "To": OURS, **form}, SENDERS)

    assert found == (OptIn(channel=Channel.SMS, number=THEIRS) if is_opt_in else None)


def test_on_whatsapp_it_is_about_whatsapp() -> None:
    form = {"From": f"whatsapp:{THEIRS}", "To": "whatsapp:+15005550007", "Body": "start"}

    assert opt_in_of(form, SENDERS) == OptIn(channel=Channel.WHATSAPP, number=THEIRS)


def test_a_message_to_any_number_of_our_service_counts() -> None:
    form = {"From": THEIRS, "To": "+15005550001", "MessagingServiceSid": "MG1", "Body": "start"}

    assert opt_in_of(form, [SERVICE]) == OptIn(channel=Channel.SMS, number=THEIRS)
    assert opt_in_of({**form, "MessagingServiceSid": "MG2"}, [SERVICE]) is None


def test_what_stop_made_is_known_by_what_attempts_and_callbacks_write() -> None:
    assert ("twilio 21610", CODES[21610].reason) == STOP_REASONS
