"""The command line by itself: its help, its examples, its codes, and what it costs to start."""

from __future__ import annotations

import gc
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from infrastructure.cli.commands import Commands
from infrastructure.cli.connecting import Where, ask
from infrastructure.cli.exits import MEANINGS, OF_STATUS, Exit
from infrastructure.cli.main import main
from infrastructure.cli.starting import run_loop
from infrastructure.client.settings import ClientSettings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text()
HEAVY = {"aiohttp", "pydantic", "psycopg", "pika", "starlette", "uvicorn", "cryptography", "jinja2", "uvloop"}


def commands(group: click.Group = main, *before: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        yield (*before, name), command
        if isinstance(command, click.Group):
            yield from commands(command, *before, name)


EVERY = list(commands())
SHOWN = [(words, command) for words, command in EVERY if not command.hidden]


def examples(command: click.Command) -> list[str]:
    lines = (command.epilog or "").splitlines()
    assert lines[:2] == ["\b", "Examples:"]
    return [line.strip() for line in lines[2:]]


@pytest.mark.parametrize(("words", "command"), [((), main), *EVERY], ids=lambda value: str(value))
def test_the_help_of_every_command_has_an_example(words: tuple[str, ...], command: click.Command) -> None:
    said = CliRunner().invoke(main, [*words, "--help"])

    assert said.exit_code == 0
    assert examples(command)
    assert all(example in said.output for example in examples(command))
    assert command.help


@pytest.mark.parametrize("example", [one for _, command in EVERY for one in examples(command)])
def test_every_example_is_understood(example: str) -> None:
    tokens = shlex.split(example)
    words = tokens[tokens.index("carillon") + 1 :]
    end = next((place for place, word in enumerate(words) if word in {"|", "||", ">"}), len(words))
    words = words[:end]
    command: click.Command = main
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        command = command.commands[words.pop(0)]

    with command.make_context("carillon", words) as context:
        assert context.command is command


def test_what_every_option_says_ends_as_a_sentence_does() -> None:
    options = [
        (words, option) for words, command in SHOWN for option in command.params if isinstance(option, click.Option)
    ]

    silent = [(words, option.name) for words, option in options if option.help and option.help[-1] not in ".,"]

    assert silent == []


def test_the_help_costs_no_heavy_import() -> None:
    program = "import sys, infrastructure.cli.main; print(*{name.partition('.')[0] for name in sys.modules})"

    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)

    assert HEAVY & set(said.stdout.split()) == set()


def test_an_interruption_is_told_apart_from_a_failure() -> None:
    @click.group(cls=Commands)
    def group() -> None:
        """Hold commands."""

    @group.command()
    def interrupted() -> None:
        raise KeyboardInterrupt

    @group.command()
    def failed() -> None:
        raise click.ClickException("no")

    codes = [CliRunner().invoke(group, [name]).exit_code for name in ("interrupted", "failed", "nothing")]

    assert codes == [Exit.INTERRUPTED, Exit.FAILED, Exit.USAGE]


def test_a_command_that_goes_on_searches_for_cycles_again() -> None:
    searches: list[bool] = []

    async def look(_: object = None) -> None:
        searches.append(gc.isenabled())

    @click.group(cls=Commands)
    def group() -> None:
        """Hold commands."""

    @group.command()
    def starting() -> None:
        searches.append(gc.isenabled())

    @group.command()
    def running() -> None:
        run_loop(look())

    @group.command()
    def asking() -> None:
        ask(Where(url="http://localhost:9"), look)

    for name in ("starting", "running", "asking"):
        assert CliRunner().invoke(group, [name]).exit_code == Exit.DONE

    assert [*searches, gc.isenabled()] == [False, True, True, True]


def test_every_code_has_a_meaning_and_stands_in_the_documents() -> None:
    assert set(MEANINGS) == set(Exit)
    assert [code for code in Exit if f"| {code.value} | {MEANINGS[code]} |" not in PAGE] == []


def test_what_the_same_call_would_meet_again_is_no_failure_of_the_moment() -> None:
    assert {OF_STATUS[status] for status in (400, 413, 415, 422)} == {Exit.USAGE}
    assert {OF_STATUS[status] for status in (401, 403)} == {Exit.REFUSED}
    assert OF_STATUS[404] is Exit.NOT_FOUND
    assert 409 not in OF_STATUS


def test_every_setting_of_the_client_stands_in_the_documents() -> None:
    assert [name for name in ClientSettings.model_fields if f"`CARILLON_{name.upper()}`" not in PAGE] == []
    assert all((field.description or "").endswith(".") for field in ClientSettings.model_fields.values())


def test_every_command_stands_in_the_documents() -> None:
    assert [" ".join(words) for words, _ in SHOWN if not re.search(rf"`carillon {' '.join(words)}\b", PAGE)] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["send"],
        ["send", "a.b"],
        ["send", "a.b", "--user", "1", "--data", "nonsense"],
        ["send", "a.b", "--user", "1", "--data", "total:=nonsense"],
        ["send", "a.b", "--user", "1", "--run", "march"],
        ["send", "--file", "x.jsonl", "--user", "1"],
        ["send", "--file", "x.jsonl", "--wait"],
        ["send", "--file", "/nonexistent/x.jsonl"],
        ["tail", "an-id", "--channel", "email"],
        ["replay"],
        ["replay", "an-id", "--all-matching", "--limit", "1"],
        ["replay", "--all-matching"],
        ["replay", "an-id", "--channel", "email"],
        ["show", "an-id", "--url", "localhost:8000"],
        ["show", "an-id", "--url", "http://user:SECRET@localhost:8000"],
        ["show", "an-id", "--key-file", "/nonexistent"],
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_a_wrong_usage_before_anybody_is_asked(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARILLON_URL", "http://127.0.0.1:1")

    said = CliRunner().invoke(main, arguments)

    assert said.exit_code == Exit.USAGE
    assert "Traceback" not in said.output
    assert "SECRET" not in said.output


@pytest.mark.parametrize("key", ["SECRET key", "SECRET\nkey", "SECRETä"])
def test_a_key_that_is_none_is_refused_and_not_shown(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARILLON_API_KEY", key)

    said = CliRunner().invoke(main, ["show", "an-id", "--url", "http://127.0.0.1:1", "--patience", "0.1"])

    assert said.exit_code == Exit.USAGE
    assert "CARILLON_API_KEY" in said.output
    assert "SECRET" not in said.output


def test_a_key_in_a_file_goes_before_the_one_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from infrastructure.cli.connecting import Where

    (tmp_path / "key").write_text("from-the-file\n")
    monkeypatch.setenv("CARILLON_API_KEY", "from-the-environment")
    asked, silent = Where(key_file=tmp_path / "key"), Where()

    assert asked.key(asked.settings()) == "from-the-file"
    assert silent.key(silent.settings()) == "from-the-environment"


@pytest.mark.parametrize(
    ("environment", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": "no"}, False)]
)
def test_no_color_is_heard_whatever_it_says(environment: dict[str, str], is_coloured: bool) -> None:
    @click.command(cls=click.Command)
    def red() -> None:
        click.secho("red", fg="red")

    main.add_command(red)
    try:
        said = CliRunner().invoke(main, ["red"], env=environment, color=True)
    finally:
        del main.commands["red"]

    assert ("\x1b[31m" in said.output) is is_coloured
