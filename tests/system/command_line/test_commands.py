"""The command line as its user types it, against one instance that runs."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.system.client import Client
from tests.system.command_line.terminal import Terminal, interrupted

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

NOBODY = "00000000-0000-4000-8000-000000000000"


def rejects_of(file: Path) -> Path:
    return Path(f"{file}.rejected.jsonl")


async def test_a_command_sends_and_waits_until_somebody_has_it(terminal: Terminal, person: Client) -> None:
    words = ["send", "order.confirmed", "--user", person.user, "--message", "Order #42 confirmed", "--channel", "email"]

    said = await terminal.type(*words, "--wait")

    assert said.code == 0
    assert (await terminal.type("show", said.out.strip(), "--json")).document["status"] == "sent"
    assert "Order #42 confirmed" in "".join(await person.mails())


async def test_what_nobody_gets_ends_with_a_failure_and_what_takes_long_is_still_under_way(
    terminal: Terminal, person: Client
) -> None:
    words = ["send", "order.confirmed", "--message", "Hm", "--wait"]

    nobody = await terminal.type(*words, "--user", "nobody")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    later = await terminal.type(*words, "--user", person.user, "--send-at", tomorrow, "--timeout", "0.5")
    soon = await terminal.type(*words, "--user", person.user, "--send-at", "2026-01-01T00:00:00Z", "--key", "k")
    again = await terminal.type(*words, "--user", person.user, "--send-at", "2026-01-01T00:00:00Z", "--key", "k")

    assert nobody.code == 1
    assert "nobody knows this user" in nobody.err
    assert later.code == 6
    assert (soon.code, soon.out) == (0, again.out)


async def test_the_codes_tell_apart_what_is_not_there_not_allowed_and_away(terminal: Terminal) -> None:
    said = [
        await terminal.type("show", NOBODY),
        await terminal.knowing(CARILLON_API_KEY="another-SECRET").type("show", NOBODY),
        await terminal.knowing(CARILLON_API_KEY="").type("explain", NOBODY),
        await terminal.type("show", NOBODY, "--url", "http://127.0.0.1:1", "--patience", "0.5"),
        await terminal.type("send", "order.confirmed", "--user", "1"),
        await terminal.type("dead-letters", "show", NOBODY),
    ]

    assert [one.code for one in said] == [3, 4, 4, 5, 2, 3]
    assert [one.out for one in said] == [""] * 6
    assert "data.message" in said[4].err
    assert not any("SECRET" in one.err or "Traceback" in one.err for one in said)


async def test_a_page_and_an_explanation_tell_people_and_scripts_the_same(terminal: Terminal, person: Client) -> None:
    key = (await terminal.type("send", "paid", "--user", person.user, "--message", "Paid", "--wait")).out.strip()

    page, document = await terminal.type("show", key), (await terminal.type("show", key, "--json")).document
    why, rules = await terminal.type("explain", key), (await terminal.type("explain", key, "--json")).document["rules"]

    assert f"paid for {person.user}: sent" in page.out
    assert all(line["why"] in page.out for line in document["timeline"])
    assert all(rule["why"] in why.out for rule in rules)
    assert "\x1b" not in page.out + why.out


async def test_many_are_sent_once_however_often_and_what_is_wrong_is_kept_aside(
    terminal: Terminal, person: Client, tmp_path: Path
) -> None:
    lines = [{"event_type": "many", "user_id": person.user, "data": {"message": f"m{n % 20}"}} for n in range(30)]
    written = [json.dumps(line) for line in lines]
    written[7], written[8] = "nonsense", json.dumps({**lines[8], "data": {}})
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(written) + "\n")

    first = await terminal.type("send", "--file", str(file), "--batch-size", "7", "--json")
    file.write_text("\n" + file.read_text())
    second = await terminal.type("send", "--file", str(file), "--json")
    another = await terminal.type("send", "--file", str(file), "--run", "another", "--json")

    kept = [{line["id"] for line in said.lines if "id" in line} for said in (first, second, another)]
    rejected = [json.loads(line) for line in rejects_of(file).read_text().splitlines()]
    assert [said.code for said in (first, second, another)] == [1, 1, 1]
    assert (len(kept[0]), kept[1]) == (28, kept[0])
    assert not kept[0] & kept[2]
    assert sorted(line["line"] for line in rejected) == [9, 10]
    assert next(one for one in rejected if one["line"] == 10)["problem"]["field"] == "data.message"
    assert "28 kept" in first.err


async def test_a_csv_comes_through_a_pipe_and_its_run_is_told(terminal: Terminal, person: Client) -> None:
    rows = f"user_id,channel,message\n{person.user},email,Hello from a table\n".encode()

    said = await terminal.type("send", "news", "--file", "-", "--format", "csv", "--json", given=rows)
    run = said.err.partition("run ")[2].partition(":")[0]
    words = ["send", "news", "--file", "-", "--format", "csv", "--run", run, "--json"]
    again = await terminal.type(*words, given=rows)
    ended = await terminal.type("tail", said.lines[0]["id"])

    assert (said.code, ended.code) == (0, 0)
    assert again.lines[0]["id"] == said.lines[0]["id"]
    assert "Hello from a table" in "".join(await person.mails())


async def test_a_bulk_that_the_server_does_not_take_says_where_to_go_on(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text('{"event_type": "a", "user_id": 1, "data": {"message": "m"}}\n')

    away = await terminal.type("send", "--file", str(file), "--url", "http://127.0.0.1:1", "--patience", "0.5")
    refused = await terminal.knowing(CARILLON_API_KEY="another").type("send", "--file", str(file))

    assert (away.code, refused.code) == (5, 4)
    assert "--from-line 1" in away.err
    assert os.listdir(tmp_path) == ["events.jsonl"]


async def test_tail_tells_each_change_once_until_it_is_interrupted(terminal: Terminal, person: Client) -> None:
    async with terminal.running("tail", "--user", person.user, "--every", "0.2", "--json") as process:
        assert process.stdout
        assert process.stderr
        await asyncio.wait_for(process.stderr.readline(), 30)
        key = await person.post("followed")
        told: list[dict[str, str]] = []
        async with asyncio.timeout(30):
            while not told or told[-1]["status"] != "sent":
                told.append(json.loads(await process.stdout.readline()))
        code = await interrupted(process)

    assert {line["id"] for line in told} == {key}
    assert len({(line["status"], str(line["deliveries"])) for line in told}) == len(told)
    assert code == 130


async def test_tail_of_one_tells_its_timeline_to_the_end_and_ends_as_it_does(terminal: Terminal) -> None:
    kept = await terminal.type("send", "order.confirmed", "--user", "nobody", "--message", "Hm")

    said = await terminal.type("tail", kept.out.strip(), "--every", "0.2", "--json")

    assert said.code == 1
    assert [line["what"] for line in said.lines] == ["accepted", "giving_up", "failed"]


async def test_tail_of_a_status_tells_nothing_else(terminal: Terminal, person: Client) -> None:
    async with terminal.running("tail", "--status", "failed", "-n", "0", "--every", "0.2", "--json") as process:
        assert process.stdout
        assert process.stderr
        await asyncio.wait_for(process.stderr.readline(), 30)
        await person.post("somebody")
        key = await person.post("nobody", user="nobody")
        line = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))

    assert (line["id"], line["status"]) == (key, "failed")
