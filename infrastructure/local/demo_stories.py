"""The stories of the demo: each makes something happen, holds it to its word, and names its notifications."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from infrastructure.local.demo_stage import FIRST, PATIENCE_SECONDS, SPARE, Stage, demand, reached
from infrastructure.sandbox.behaviours import Behaviour, chat_for, number_for, token_for

UNACKNOWLEDGED_SECONDS = 3
PEOPLE = {
    "ada": "ada@example.test",
    "bo": "fails-3+bo@example.test",  # the mail server fails three times, then accepts
    "cy": "cy@example.test",
    "di": "refused+di@example.test",  # a hard bounce
    "flo": "flo@example.test",
    "gil": "gil@example.test",
}
ELI = {"name": "Eli", "phone": number_for(Behaviour.ACCEPTED), "telegram": chat_for(Behaviour.ACCEPTED)}
PHONE = token_for(Behaviour.ACCEPTED)
EVERYWHERE = ("sms", "whatsapp", "telegram", "push")
REPORT = "report-1"
"""An event with an id gets the same notification each time, and that the same first provider."""

WITHIN = {"websocket": UNACKNOWLEDGED_SECONDS}
WORKFLOWS = {
    "alarm_raised": {"channels": EVERYWHERE, "strategy": "all"},
    "door_opened": {"channels": ["websocket", "email"], "unless_delivered_within_seconds": WITHIN},
    "password_changed": {"channels": ["email"]},
    "server_down": {
        "channels": ["websocket", "sms"],
        "strategy": "escalate",
        "escalate_after_seconds": UNACKNOWLEDGED_SECONDS,
    },
}


async def prepare(stage: Stage) -> None:
    """Let people move in, and say what event types mean."""
    for name, address in PEOPLE.items():
        await stage.call("PUT", f"/users/{name}", {"name": name.capitalize(), "email": address})
    await stage.call("PUT", "/users/eli", ELI)
    await stage.call("PUT", f"/users/eli/devices/{PHONE}", {"provider": "fcm", "platform": "android"})
    for event_type, workflow in WORKFLOWS.items():
        await stage.call("PUT", f"/workflows/{event_type}", workflow)


async def mail(stage: Stage) -> list[str]:
    """An event becomes a mail."""
    key = await stage.post("order_created", "ada", "Order #42 confirmed", "email")
    await stage.until(key, "sent")
    mails = stage.mails(PEOPLE["ada"])
    demand(any("Order #42 confirmed" in text for text in mails), "the mail is not in the mailbox")
    return [key]


async def websocket(stage: Stage) -> list[str]:
    """An event reaches an open WebSocket, and the client acknowledges it."""
    async with stage.http.ws_connect(f"{stage.url.replace('http', 'ws', 1)}/ws/ada?since=0") as socket:
        key = await stage.post("order_shipped", "ada", "Order #42 is on its way", "websocket")
        frame = await socket.receive_json(timeout=PATIENCE_SECONDS)
        while frame["type"] != "notification":
            frame = await socket.receive_json(timeout=PATIENCE_SECONDS)
        demand(frame["id"] == key, "the socket got something else")
        await socket.send_json({"type": "ack", "id": key})
        await stage.until(key, "delivered")
    return [key]


async def retried(stage: Stage) -> list[str]:
    """The mail server fails three times; the fourth try, 2 + 4 + 8 s later, is accepted."""
    key = await stage.post("invoice_ready", "bo", "Your invoice is ready", "email")
    document = await stage.until(key, "sent")
    outcomes = [attempt["outcome"] for attempt in document["attempts"]]
    demand(outcomes == ["transient"] * 3 + ["accepted"], f"the attempts were {outcomes}")
    return [key]


async def fallback(stage: Stage) -> list[str]:
    """Nobody acknowledges the WebSocket message in time, so a mail follows."""
    key = await stage.post("door_opened", "cy", "Somebody opened the door")
    await stage.until(key, "sent")
    document = await stage.until_reached(key, {"websocket": "sent", "email": "sent"})
    demand(bool(stage.mails(PEOPLE["cy"])), "the mail is not in the mailbox")
    demand(document["status"] == "sent", f"it is {document['status']}")
    return [key]


async def replayed(stage: Stage) -> list[str]:
    """Every channel fails; it is compensated and kept as a dead letter; the address is mended, and it is replayed."""
    key = await stage.post("password_changed", "di", "Your password was changed")
    await stage.until(key, "failed")
    letters = (await stage.call("GET", "/dead-letters"))["dead_letters"]
    letter = next((one for one in letters if one["notification_id"] == key), None)
    demand(letter is not None, "there is no dead letter")
    assert letter is not None
    await stage.call("PUT", "/users/di", {"name": "Di", "email": "di@example.test"})
    await stage.call("POST", f"/dead-letters/{letter['id']}/replay")
    document = await stage.until(key, "sent")
    demand(document["epoch"] == 1, "it is not the next epoch")
    return [key]


async def everywhere(stage: Stage) -> list[str]:
    """One event goes out by SMS, WhatsApp, Telegram and push at once."""
    key = await stage.post("alarm_raised", "eli", "Smoke in the kitchen")
    document = await stage.until(key, "sent")
    found = reached(document)
    demand(found == dict.fromkeys(EVERYWHERE, "sent"), f"the deliveries are {found}")
    for channel in EVERYWHERE:
        seen = await stage.messages(channel)
        demand(any("Smoke in the kitchen" in text for text in seen), f"nothing came by {channel}")
    return [key]


async def escalated(stage: Stage) -> list[str]:
    """Nobody acknowledges in time, so somebody's phone is asked."""
    key = await stage.post("server_down", "eli", "The server is down")
    await stage.until_reached(key, {"websocket": "sent", "sms": "sent"})
    demand(any("The server is down" in text for text in await stage.messages("sms")), "no text message came")
    return [key]


async def receipt(stage: Stage) -> list[str]:
    """The receiving mail server reports that the mail has arrived."""
    key = await stage.post("ticket_answered", "flo", "We have answered your question", "email")
    document = await stage.until(key, "sent")
    attempt = document["attempts"][-1]
    said = {"message_id": f"<{key}.{attempt['epoch']}@example.test>", "type": "delivered"}
    await stage.call("POST", "/callbacks/email", said)
    await stage.until(key, "delivered")
    return [key]


async def called_back(stage: Stage) -> list[str]:
    """It was sent by Telegram and by SMS, and is called back: the chat forgets it, the phone cannot."""
    await stage.call("PUT", "/workflows/meeting_moved", {"channels": ["telegram", "sms"], "strategy": "all"})
    key = await stage.post("meeting_moved", "eli", "The meeting is at four")
    await stage.until(key, "sent")
    await stage.call("POST", f"/api/v1/notifications/{key}/cancel")
    document = await stage.until(key, "cancelled")
    found = reached(document)
    demand(found["telegram"] == "retracted" and found["sms"] == "sent", f"the deliveries are {found}")
    demand(not any("at four" in text for text in await stage.messages("telegram")), "the chat still has it")
    return [key]


async def failed_over(stage: Stage) -> list[str]:
    """The first mail server goes away; after two failures the spare one takes over."""
    port = stage.first.port
    await stage.first.stop()
    try:
        data = {"message": "Your report is ready", "preferred_channel": "email"}
        event = {"event_type": "report_ready", "user_id": "gil", "id": REPORT, "data": data}
        key = (await stage.call("POST", "/events", event))["id"]
        document = await stage.until(key, "sent")
    finally:
        await stage.first.start(port=port)
    providers = [attempt["provider"] for attempt in document["attempts"]]
    demand(providers[0].endswith(FIRST) and providers[-1].endswith(SPARE), f"the providers were {providers}")
    return [key]


STORIES: dict[str, Callable[[Stage], Awaitable[list[str]]]] = {
    "1. A mail": mail,
    "2. A WebSocket message, acknowledged": websocket,
    "3. A mail that is retried after 2, 4 and 8 seconds": retried,
    "4. A WebSocket message that nobody acknowledges, so a mail follows": fallback,
    "5. A failure, its dead letter, and the replay": replayed,
    "6. One event by SMS, WhatsApp, Telegram and push at once": everywhere,
    "7. An alarm that nobody acknowledges, and that escalates": escalated,
    "8. A mail, and the receipt that it has arrived": receipt,
    "9. A message that is called back: compensated where the channel allows it": called_back,
}
"""They play at once."""

AFTERWARDS: dict[str, Callable[[Stage], Awaitable[list[str]]]] = {
    "10. A mail server that goes away, and another that takes over": failed_over,
}
"""It would get into the way of the others' mails."""
