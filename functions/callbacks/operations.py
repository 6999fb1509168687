"""What providers and readers may tell us."""

from __future__ import annotations

from shared.access import Access
from shared.operations import JSON, Answer, Operation

_HEARD = Answer(about="It is understood, whatever it changes.")

HEAR_TWILIO = Operation(
    name="hear_twilio",
    method="POST",
    path="/callbacks/twilio",
    access=Access.PUBLIC,
    summary="Take a status callback of Twilio's, believed for its signature.",
    tag="callbacks",
    takes={"application/x-www-form-urlencoded": None},
    gives={204: _HEARD},
    refuses=frozenset({403, 413}),
)
HEAR_TWILIO_MESSAGE = Operation(
    name="hear_twilio_message",
    method="POST",
    path="/callbacks/twilio/messages",
    access=Access.PUBLIC,
    summary="Take a message to our number, believed for its signature: START lifts what STOP had suppressed.",
    tag="callbacks",
    takes={"application/x-www-form-urlencoded": None},
    gives={204: _HEARD},
    refuses=frozenset({403, 413}),
)
HEAR_ONESIGNAL = Operation(
    name="hear_onesignal",
    method="POST",
    path="/callbacks/onesignal",
    access=Access.RECEIPTS,
    summary="Take an event of a OneSignal event stream.",
    tag="callbacks",
    takes={JSON: None},
    gives={204: _HEARD},
    refuses=frozenset({400, 422}),
)
HEAR_MAIL = Operation(
    name="hear_mail",
    method="POST",
    path="/callbacks/email",
    access=Access.RECEIPTS,
    summary="Take what came back of a mail: a delivery status notification, or JSON.",
    tag="callbacks",
    takes={"message/rfc822": None, JSON: None},
    gives={204: _HEARD},
    refuses=frozenset({400, 415, 422}),
)
ASK_TO_UNSUBSCRIBE = Operation(
    name="ask_to_unsubscribe",
    method="GET",
    path="/unsubscribe/{token}",
    access=Access.PUBLIC,
    summary="Show what would be stopped; change nothing.",
    tag="callbacks",
    gives={200: Answer(about="A page.", media_type="text/html"), 404: Answer(about="A page.", media_type="text/html")},
)
UNSUBSCRIBE = Operation(
    name="unsubscribe",
    method="POST",
    path="/unsubscribe/{token}",
    access=Access.PUBLIC,
    summary="Stop it with one click (RFC 8058).",
    tag="callbacks",
    takes={"application/x-www-form-urlencoded": None, "multipart/form-data": None},
    gives={200: Answer(about="A page.", media_type="text/html"), 404: Answer(about="A page.", media_type="text/html")},
    refuses=frozenset({400, 413}),
)
OPERATIONS = (HEAR_TWILIO, HEAR_TWILIO_MESSAGE, HEAR_ONESIGNAL, HEAR_MAIL, ASK_TO_UNSUBSCRIBE, UNSUBSCRIBE)
