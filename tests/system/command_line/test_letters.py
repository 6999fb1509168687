"""Dead letters from the terminal: found, tried out, started over, put away."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.system.client import Client
from tests.system.command_line.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

NOBODY = "00000000-0000-4000-8000-000000000000"


async def failed(terminal: Terminal, user: str, event_type: str = "order.confirmed") -> str:
    """Send something to a person whom nobody knows; return its dead letter's id."""
    words = ["send", event_type, "--user", user, "--message", "Hm", "--channel", "email", "--wait", "--json"]
    assert (await terminal.type(*words)).code == 1
    letters = (await terminal.type("dead-letters", "--user", user, "--json")).document["dead_letters"]
    return str(letters[0]["id"])


async def move_in(person: Client, *users: str) -> None:
    for user in users:
        await person.put(f"/users/{user}", {"name": "Somebody", "email": f"{user}@example.test"})


def strangers(count: int) -> list[str]:
    return [f"stranger-{uuid4()}" for _ in range(count)]


async def test_a_dead_letter_is_found_by_what_is_known_of_it_and_shown(terminal: Terminal) -> None:
    (user,) = strangers(1)
    letter = await failed(terminal, user, "found.one")

    listed = await terminal.type("dead-letters", "--event-type", "found.one", "--reason", "KNOWS THIS")
    others = await terminal.type("dead-letters", "--event-type", "found.one", "--kind", "garbage", "--json")
    shown = await terminal.type("dead-letters", "show", letter)

    assert letter in listed.out
    assert "1 open" in listed.err
    assert others.document["dead_letters"] == []
    assert "nobody knows this user" in shown.out
    assert user in shown.out


async def test_a_dry_run_says_what_would_be_and_changes_nothing(terminal: Terminal, person: Client) -> None:
    (user,) = strangers(1)
    letter = await failed(terminal, user)
    await move_in(person, user)

    words = ["replay", letter, "--dry-run"]
    said, document = await terminal.type(*words), (await terminal.type(*words, "--json")).document
    letters = (await terminal.type("dead-letters", "--user", user, "--json")).document["dead_letters"]

    assert said.code == 0
    assert f"{letter}: send" in said.out
    assert document["results"][0]["steps"][0]["channel"] in said.out
    assert [one["id"] for one in letters] == [letter]


async def test_a_replay_sends_it_and_the_second_one_does_nothing(terminal: Terminal, person: Client) -> None:
    (user,) = strangers(1)
    letter = await failed(terminal, user)
    await move_in(person, user)

    first = await terminal.type("replay", letter, "--json")
    second = await terminal.type("replay", letter)
    ended = await terminal.type("tail", first.document["results"][0]["notification_id"], "--every", "0.2")

    assert (first.code, second.code, ended.code) == (0, 1, 0)
    assert "0 replayed; 1 not" in second.err


async def test_all_that_match_are_replayed_and_nothing_else(terminal: Terminal, person: Client) -> None:
    users = strangers(3)
    for user in users:
        await failed(terminal, user, "match.me")
    other = await failed(terminal, users[0], "not.me")
    await move_in(person, *users)

    unasked = await terminal.type("replay", "--all-matching", "--event-type", "match.me", "--limit", "10")
    done = await terminal.type(
        *("replay", "--all-matching", "--event-type", "match.me", "--limit", "2", "--yes", "--json"),
    )
    left = (await terminal.type("dead-letters", "--json")).document["dead_letters"]

    assert unasked.code == 2
    assert "--yes" in unasked.err
    assert done.code == 0
    assert len(done.document["results"]) == 2
    assert [one["event_type"] for one in left if one["user_id"] in users] == ["not.me", "match.me"]
    assert other in {one["id"] for one in left}


@pytest.mark.parametrize("is_mended", [True, False])
async def test_the_first_few_decide_over_the_rest(terminal: Terminal, person: Client, is_mended: bool) -> None:
    users, kind = strangers(3), f"first.{is_mended}"
    letters = [await failed(terminal, user, kind) for user in users]
    await move_in(person, *users if is_mended else users[1:])

    said = await terminal.type("replay", *letters, "--first", "1", "--yes", "--json")

    assert said.code == (0 if is_mended else 1)
    assert len(said.document["results"]) == (3 if is_mended else 1)


async def test_what_nobody_needs_any_more_is_put_away_with_a_reason(terminal: Terminal) -> None:
    letter = await failed(terminal, *strangers(1))

    first = await terminal.type("dead-letters", "discard", letter, "--reason", "the person is gone")
    second = await terminal.type("dead-letters", "discard", letter, "--reason", "again")
    shown = (await terminal.type("dead-letters", "show", letter, "--json")).document

    assert (first.code, second.code) == (0, 1)
    assert (shown["status"], shown["settled_reason"]) == ("discarded", "the person is gone")


async def test_a_dead_letter_that_is_not_there_is_not_found(terminal: Terminal) -> None:
    said = [
        await terminal.type("replay", NOBODY),
        await terminal.type("dead-letters", "discard", NOBODY, "--reason", "x"),
        await terminal.type("replay", NOBODY, "--dry-run"),
        await terminal.type("replay", "nonsense"),
    ]

    assert [one.code for one in said] == [3, 3, 3, 2]
