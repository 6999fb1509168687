"""The doctor as its user calls it: beside an instance that runs, and in a world where nothing is right."""

from __future__ import annotations

import pytest

from tests.system.command_line.terminal import KEY, Terminal

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

NOWHERE = "127.0.0.1:1"
SECRET = "SECRET-of-nobody"


async def test_beside_an_instance_that_runs_all_is_well(terminal: Terminal) -> None:
    said = await terminal.type("doctor", "--json")
    in_words = await terminal.type("doctor")

    findings = said.document["findings"]
    faults = [one for one in findings if one["verdict"] == "fault"]
    assert (said.code, faults) == (0, [])
    assert {"settings", "database", "broker", "Carillon"} <= {one["about"] for one in findings}
    assert any(one["found"] == "its schema is up to date" for one in findings)
    assert any("the key is good: tenant acme" in one["found"] for one in findings)
    assert all(one["found"] in in_words.out for one in findings if "connections" not in one["found"])
    assert KEY not in said.out + in_words.out + said.err + in_words.err


async def test_a_wrong_key_is_a_fault(terminal: Terminal) -> None:
    said = await terminal.knowing(CARILLON_API_KEY=SECRET).type("doctor", "--json")

    faults = [one for one in said.document["findings"] if one["verdict"] == "fault"]
    assert (said.code, said.document["verdict"]) == (1, "fault")
    assert [one["about"] for one in faults] == ["Carillon"]
    assert "refuses the key" in faults[0]["found"]
    assert SECRET not in said.out + said.err


async def test_where_nothing_is_right_each_thing_is_told_and_no_secret_is(terminal: Terminal) -> None:
    wrong = {
        "CARILLON_URL": f"http://{NOWHERE}",
        "DATABASE_URL": f"postgresql://u:{SECRET}@{NOWHERE}/x",
        "AMQP_URL": f"amqp://u:{SECRET}@{NOWHERE}/",
        "REDIS_URL": f"redis://:{SECRET}@{NOWHERE}",
        "SMTP_URL": f"smtp://u:{SECRET}@{NOWHERE}",
        "TELEGRAM_BOT_TOKEN": f"1:{SECRET}",
        "TELEGRAM_BASE_URL": f"http://{NOWHERE}",
        "API_KEYS": SECRET,
        "PORT": "many",
    }

    said = await terminal.knowing(**wrong).type("doctor", "--json")

    about = {one["about"] for one in said.document["findings"] if one["verdict"] == "fault"}
    assert said.code == 1
    assert about == {"settings", "database", "broker", "e-mail", "Telegram", "Carillon"}
    assert SECRET not in said.out + said.err
    assert "Traceback" not in said.err


async def test_the_schema_is_brought_up_to_date_and_that_can_be_asked_before(
    terminal: Terminal, empty_url: str
) -> None:
    knowing = terminal.knowing(DATABASE_URL=empty_url)
    lost = terminal.knowing(DATABASE_URL=f"postgresql://u:{SECRET}@{NOWHERE}/x")

    before = await knowing.type("migrate", "--check", "--json")
    done = await knowing.type("migrate")
    after = await knowing.type("migrate", "--check")
    away = await lost.type("migrate", "--check")

    missing = before.document["missing"]
    assert [one.code for one in (before, done, after, away)] == [1, 0, 0, 5]
    assert missing[0] == "0001_the_truth"
    assert done.out.splitlines() == [f"applied {name}" for name in missing]
    assert [line for line in done.err.splitlines() if line.startswith("applying")] == [f"applying {n}" for n in missing]
    assert after.out == "up to date\n"
    assert SECRET not in away.err


@pytest.mark.parametrize("words", [("show", "an-id"), ("tail",), ("replay", "an-id"), ("dead-letters",), ("doctor",)])
async def test_a_client_needs_none_of_the_servers_settings(terminal: Terminal, words: tuple[str, ...]) -> None:
    misled = terminal.knowing(PORT="many", JWT_SECRET="short")

    said = await misled.type(*words, "--url", f"http://{NOWHERE}", "--patience", "0.3")

    assert said.code == (1 if words == ("doctor",) else 5)
