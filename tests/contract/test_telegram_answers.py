"""What the Telegram provider makes of every answer, and of none: over HTTP, against Telegram's stand-in."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from infrastructure.sandbox.behaviours import Behaviour
from infrastructure.sandbox.http import Act, Answer
from infrastructure.sandbox.telegram import GROUP, SUPERGROUP, refusal, taken
from shared.outcomes import Outcome
from shared.statuses import OutcomeKind
from tests.contract.bot_api import CHAT, IMPATIENT_SECONDS, PATIENT_SECONDS, client, letter, sandbox, until
from tests.contract.mail_server import other_server

ACCEPTED, PERMANENT, TRANSIENT = OutcomeKind.ACCEPTED, OutcomeKind.PERMANENT, OutcomeKind.TRANSIENT
THROTTLED, AMBIGUOUS = OutcomeKind.THROTTLED, OutcomeKind.AMBIGUOUS
FAULT, SUPPRESS, NEITHER = "provider_at_fault", "suppress", ""
HTML = {"Content-Type": "text/html"}


@dataclass(frozen=True)
class Case:
    """An act of Telegram's, and the outcome that it is."""

    act: Act
    kind: OutcomeKind
    code: str
    flag: str = NEITHER
    pause: float | None = None
    kept: int = 0
    deadline: float = PATIENT_SECONDS


def page(status: int, **headers: str) -> Answer:
    return Answer(status=status, body="<html>somebody else</html>", headers={**HTML, **headers})


def pausing(retry_after: object) -> Answer:
    return refusal(429, "Too Many Requests: retry after X", retry_after=retry_after)


WEEK = 7 * 86_400
CASES = {
    "it is taken": Case(Behaviour.ACCEPTED, ACCEPTED, "200", kept=1),
    "it is taken late": Case(Behaviour.SLOW, ACCEPTED, "200", kept=1),
    "taken without a number": Case(taken({}), ACCEPTED, "200"),
    "no such chat": Case(Behaviour.REFUSED, PERMANENT, "400 no chat"),
    "no such user": Case(refusal(400, "Bad Request: user not found"), PERMANENT, "400 no chat"),
    "no such peer": Case(refusal(400, "Bad Request: PEER_ID_INVALID"), PERMANENT, "400 no chat"),
    "the person blocked the bot": Case(Behaviour.BLOCKED, PERMANENT, "403 blocked", SUPPRESS),
    "the account is gone": Case(refusal(403, "Forbidden: user is deactivated"), PERMANENT, "403 deactivated", SUPPRESS),
    "the group is gone": Case(
        refusal(400, "Bad Request: group is deactivated"), PERMANENT, "400 deactivated", SUPPRESS
    ),
    "the bot was kicked": Case(
        refusal(403, "Forbidden: bot was kicked from the group chat"), PERMANENT, "403 kicked", SUPPRESS
    ),
    "the person never wrote": Case(
        refusal(403, "Forbidden: bot can't initiate conversation with a user"), PERMANENT, "403"
    ),
    "a yes from a server that is out of order": Case(Answer(status=500, body={"ok": True}), TRANSIENT, "500", FAULT),
    "no right to write": Case(Behaviour.FULL, PERMANENT, "400"),
    "broken entities": Case(refusal(400, "Bad Request: can't parse entities"), PERMANENT, "400"),
    "a refusal in a 200": Case(Answer(body=refusal(400, "Bad Request").body), PERMANENT, "400"),
    "too large": Case(refusal(413, "Request Entity Too Large"), PERMANENT, "413"),
    "a conflict": Case(refusal(409, "Conflict"), PERMANENT, "409"),
    "a pause in seconds": Case(Behaviour.THROTTLED, THROTTLED, "429", pause=3),
    "a pause without a word of when": Case(Behaviour.THROTTLED_BARE, THROTTLED, "429"),
    "a pause of a week": Case(pausing(WEEK), THROTTLED, "429", pause=WEEK),
    "a pause beyond a week": Case(pausing(WEEK + 1), THROTTLED, "429"),
    "a pause that is past": Case(pausing(-5), THROTTLED, "429"),
    "a pause that is no number": Case(pausing("soon"), THROTTLED, "429"),
    "a pause that is a claim": Case(pausing(retry_after=True), THROTTLED, "429"),
    "a pause asked for by a proxy": Case(page(429, **{"Retry-After": "7"}), THROTTLED, "429", pause=7),
    "our token is revoked": Case(Behaviour.UNTRUSTED, TRANSIENT, "401 bot", FAULT),
    "our token is none": Case(refusal(404, "Not Found"), TRANSIENT, "404 bot", FAULT),
    "out of order": Case(Behaviour.TEMPFAIL, TRANSIENT, "502", FAULT),
    "an error of its own": Case(refusal(500, "Internal Server Error"), TRANSIENT, "500", FAULT),
    "a proxy that finds nobody": Case(page(503), TRANSIENT, "503", FAULT),
    "a page that is not there": Case(page(404), TRANSIENT, "404 foreign", FAULT),
    "a proxy that forbids": Case(page(403), TRANSIENT, "403 foreign", FAULT),
    "another server's JSON": Case(Answer(status=404, body={"error": "not found"}), TRANSIENT, "404 foreign", FAULT),
    "sent elsewhere": Case(page(302, Location="https://example.test/"), TRANSIENT, "302 foreign", FAULT),
    "a page instead of an answer": Case(Behaviour.GARBAGE, AMBIGUOUS, "200 garbled", FAULT, kept=1),
    "JSON of somebody else": Case(Answer(body=["ok"]), AMBIGUOUS, "200 garbled", FAULT),
    "neither yes nor no": Case(Answer(body={"ok": "yes"}), AMBIGUOUS, "200 garbled", FAULT),
    "a no without a word": Case(Answer(body={"ok": False}), AMBIGUOUS, "200 garbled", FAULT),
    "an answer that takes too long to end": Case(
        Answer(body=" " * 300_000 + '{"ok": true}'), AMBIGUOUS, "200 garbled", FAULT
    ),
    "cut after it was kept": Case(Behaviour.CUT, AMBIGUOUS, "lost", FAULT, kept=1),
    "cut before": Case(Behaviour.RESET, AMBIGUOUS, "lost", FAULT),
    "no answer at all": Case(Behaviour.HANG, AMBIGUOUS, "timeout", FAULT, deadline=IMPATIENT_SECONDS),
    "an answer after the deadline": Case(
        Behaviour.SLOW, AMBIGUOUS, "timeout", FAULT, kept=1, deadline=IMPATIENT_SECONDS
    ),
}


def flag_of(outcome: Outcome) -> str:
    return FAULT if outcome.provider_at_fault else SUPPRESS if outcome.suppress else NEITHER


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
async def test_each_answer_is_one_outcome_after_one_call_within_the_deadline(case: Case) -> None:
    async with sandbox() as stage, client(stage.url, case.deadline) as provider:
        stage.script(case.act)
        began = time.monotonic()
        async with asyncio.timeout(PATIENT_SECONDS):  # a deadline that is not kept is a failure here, not a hang
            outcome = await provider.send(letter())
        took = time.monotonic() - began

        assert (outcome.kind, outcome.code, flag_of(outcome)) == (case.kind, f"telegram {case.code}", case.flag)
        assert outcome.retry_after_seconds == case.pause
        assert outcome.provider == provider.name
        assert (list(stage.room.calls), len(stage.mailbox)) == ([CHAT], case.kept)
        assert took < case.deadline + 2
        assert took >= IMPATIENT_SECONDS or case.deadline == PATIENT_SECONDS


async def test_a_pause_until_a_date_is_kept_as_seconds() -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        stage.script(Behaviour.THROTTLED_UNTIL)
        outcome = await provider.send(letter())

    assert outcome.kind is THROTTLED
    assert outcome.retry_after_seconds is not None
    assert 1 < outcome.retry_after_seconds <= 3


@pytest.mark.parametrize("act", [Behaviour.HANG, Behaviour.SLOW])
async def test_a_call_that_is_given_up_leaves_no_connection_open(act: Behaviour) -> None:
    async with sandbox() as stage, client(stage.url, IMPATIENT_SECONDS) as provider:
        stage.script(act)
        await provider.send(letter())

        await until(lambda: stage.connections == 0)


async def test_many_messages_share_a_connection_and_refusals_do_not_cost_it() -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        for act in (Behaviour.ACCEPTED, Behaviour.REFUSED, Behaviour.THROTTLED, Behaviour.TEMPFAIL, Behaviour.ACCEPTED):
            stage.script(act)
            await provider.send(letter())
        while_open = stage.connections
        await provider.close()

        await until(lambda: stage.connections == 0)
        assert while_open == 1


async def test_a_server_that_is_not_there_has_taken_nothing() -> None:
    async with sandbox() as stage:
        url = stage.url
    async with client(url) as provider:
        outcome = await provider.send(letter())

    assert (outcome.kind, outcome.code, flag_of(outcome)) == (TRANSIENT, "telegram unreachable", FAULT)


async def test_a_server_that_is_not_ready_by_the_deadline_has_taken_nothing() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with other_server(say_nothing) as url, client(url.replace("smtp:", "https:"), IMPATIENT_SECONDS) as provider:
        outcome = await provider.send(letter())  # it waits for TLS

    assert (outcome.kind, outcome.code, flag_of(outcome)) == (TRANSIENT, "telegram timeout", FAULT)


async def test_a_process_that_was_stopped_while_it_connected_begins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = aiohttp.TCPConnector._create_connection

    async def slowly(*asked: Any) -> Any:
        connection = await connect(*asked)
        time.sleep(IMPATIENT_SECONDS * 2)  # noqa: ASYNC251 - the process stands still
        return connection

    monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", slowly)
    async with sandbox() as stage, client(stage.url, IMPATIENT_SECONDS) as provider:
        outcome = await provider.send(letter())

        assert (outcome.kind, outcome.code, flag_of(outcome)) == (THROTTLED, "telegram timeout", NEITHER)
        assert list(stage.room.calls) == []


async def test_a_refusal_that_a_person_can_mend_says_how() -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        stage.script(refusal(403, "Forbidden: bot can't initiate conversation with a user"))
        outcome = await provider.send(letter())

    assert outcome.reason == "the bot may not write to this chat: has the person written to it first?"


async def test_a_wrong_token_is_our_fault_and_nobodys_message() -> None:
    async with sandbox() as stage, client(stage.url, token="500555:another") as provider:
        outcome = await provider.send(letter())

    assert (outcome.kind, outcome.code, flag_of(outcome)) == (TRANSIENT, "telegram 401 bot", FAULT)


async def test_a_group_that_has_moved_gets_the_message_at_once_and_its_new_chat_is_told() -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        outcome = await provider.send(letter(GROUP))

        assert (outcome.kind, outcome.moved_to) == (ACCEPTED, SUPERGROUP)
        assert outcome.provider_message_id is not None
        assert outcome.provider_message_id.startswith(f"{SUPERGROUP}:")
        assert list(stage.room.calls) == [GROUP, SUPERGROUP]
        assert stage.texts(SUPERGROUP) == ["Your order is on its way."]


async def test_a_move_is_told_even_if_the_new_chat_asks_for_a_pause() -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        stage.script(Behaviour.THROTTLED, chat=SUPERGROUP)
        outcome = await provider.send(letter(GROUP))

        assert (outcome.kind, outcome.retry_after_seconds, outcome.moved_to) == (THROTTLED, 3, SUPERGROUP)
        assert list(stage.room.calls) == [GROUP, SUPERGROUP]


async def test_a_chat_that_moves_in_circles_is_followed_once() -> None:
    back = refusal(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=int(GROUP))
    async with sandbox() as stage, client(stage.url) as provider:
        stage.script(back, chat=SUPERGROUP)
        outcome = await provider.send(letter(GROUP))

        assert outcome.kind is PERMANENT
        assert list(stage.room.calls) == [GROUP, SUPERGROUP]


ACTS = [Behaviour.RESET, Behaviour.GARBAGE, Behaviour.UNTRUSTED, Behaviour.HANG, page(302, Location="/elsewhere")]


@pytest.mark.parametrize("act", ACTS)
async def test_neither_token_nor_chat_nor_words_are_told(act: Act, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with sandbox() as stage, client(stage.url, IMPATIENT_SECONDS) as provider:
        stage.script(act)
        outcome = await provider.send(letter())
    async with client("http://127.0.0.1:1") as unreachable:
        nobody = await unreachable.send(letter())

    told = f"{outcome!r} {nobody!r} {provider!r} {caplog.text}"
    assert [secret for secret in ("500555", CHAT, "on its way") if secret in told] == []


async def test_a_message_can_be_silent_and_leave_links_folded() -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        await provider.send(letter())
        await provider.send(letter(silent=True, link_preview=False))

        quiet, loud = (message.content.headers for message in stage.mailbox.newest())
        assert loud == {"parse_mode": "HTML"}
        assert quiet == {
            "parse_mode": "HTML",
            "disable_notification": "True",
            "link_preview_options": "{'is_disabled': True}",
        }


async def test_a_message_without_words_is_refused_without_a_call() -> None:
    async with sandbox() as stage, client(stage.url) as provider:
        outcome = await provider.send(letter(text=" \n "))

        assert (outcome.kind, outcome.code) == (PERMANENT, "telegram empty")
        assert list(stage.room.calls) == []
