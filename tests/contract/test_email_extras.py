"""What a mail carries beyond its words, and from which of several servers it went."""

from __future__ import annotations

import base64
from email import message_from_bytes
from email.policy import default

from functions.deliver_email.provider import SmtpProvider
from functions.deliver_email.relay import Relay
from functions.deliver_email.unsubscribe_links import UnsubscribeLinks
from shared.errors import Transient
from shared.statuses import Channel
from shared.unsubscribing import Subscription, read_token
from tests.contract.mail_server import (
    ACCEPTED,
    EITHER_WAY,
    PERMANENT,
    SENDER,
    TRANSIENT,
    kinds,
    letter,
    sandbox,
    send_all,
)

SECRET = b"0123456789abcdef0123456789abcdef"


class Safe:
    """Where the secret is; it can be locked."""

    def __init__(self) -> None:
        self.is_locked, self.questions = False, 0

    async def open(self) -> bytes:
        self.questions += 1
        if self.is_locked:
            raise Transient("the database is away")
        return SECRET


@EITHER_WAY
async def test_html_files_and_the_address_for_answers_arrive_as_they_were_given(way: frozenset[str]) -> None:
    content = bytes(range(256)) * 500
    file = {"filename": "Überweisung 1.pdf", "content_type": "application/pdf"}
    options = {
        "reply_to": "help@example.test",
        "html": "<p>Grüße.</p>\n.\n",
        "attachments": [{**file, "content": base64.b64encode(content).decode()}],
    }
    async with sandbox(not_offered=way) as server:
        provider = SmtpProvider(Relay.parse(server.url), SENDER)
        outcomes = await send_all(provider, [letter(text=".\nHi", options=options), letter()])
        await provider.close()

        assert kinds(outcomes) == [ACCEPTED, ACCEPTED]
        mail = message_from_bytes(server.mailbox.newest()[-1].raw, policy=default)
        (attached,) = mail.iter_attachments()
        assert (attached.get_filename(), attached.get_content()) == ("Überweisung 1.pdf", content)
        record = server.mailbox.newest()[-1].as_record()
        assert record["headers"]["Reply-To"] == "help@example.test"
        assert record["html"].replace("\r\n", "\n") == "<p>Grüße.</p>\n.\n"
        assert record["text"].replace("\r\n", "\n") == ".\nHi\n"


async def test_every_mail_can_be_unsubscribed_from_and_the_secret_is_read_once() -> None:
    safe = Safe()
    async with sandbox() as server:
        links = UnsubscribeLinks("https://notify.example.test", safe.open)
        provider = SmtpProvider(Relay.parse(server.url), SENDER, links=links)
        for _ in range(2):
            await send_all(provider, [letter(category="offers"), letter(category="offers")])
        await provider.close()

        found = [str(mail.content.headers["List-Unsubscribe"]) for mail in server.mailbox.newest()]
        tokens = {link.removeprefix("<https://notify.example.test/unsubscribe/").removesuffix(">") for link in found}
        offers = Subscription(tenant="default", user_id="1", category="offers", channel=Channel.EMAIL)
        assert len(found) == 4
        assert [read_token(SECRET, token) for token in tokens] == [offers]
        assert safe.questions == 1


async def test_while_the_secret_cannot_be_read_no_mail_is_begun_and_none_fails() -> None:
    safe = Safe()
    async with sandbox() as server:
        links = UnsubscribeLinks("https://notify.example.test", safe.open)
        provider = SmtpProvider(Relay.parse(server.url), SENDER, links=links)
        safe.is_locked = True
        during = await send_all(provider, [letter(), letter("nobody")])
        conversations = server.connections_opened
        safe.is_locked = False
        afterwards = await send_all(provider, [letter()])
        await provider.close()

        assert (during, conversations) == ([None, None], 0)
        assert kinds(afterwards) == [ACCEPTED]


async def test_of_several_servers_each_outcome_names_its_own() -> None:
    async with sandbox() as server:
        provider = SmtpProvider(Relay.parse(f"{server.url}?name=backup"), SENDER)
        outcomes = await send_all(provider, [letter(), letter("refused@example.test"), letter("nobody")])
        await server.stop()
        away = await provider.send(letter())
        await provider.close()

    assert kinds([*outcomes, away]) == [ACCEPTED, PERMANENT, PERMANENT, TRANSIENT]
    assert {outcome.provider for outcome in [*outcomes, away] if outcome} == {"backup"} == {provider.name}
