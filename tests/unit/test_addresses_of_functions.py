"""Where functions are that run elsewhere, and what is refused before anything is started."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from infrastructure.cli.main import main
from infrastructure.local.addresses import Addresses
from shared.logs import undisturbed


def test_those_that_are_named_are_where_they_are_said_to_be_and_all_others_by_the_pattern() -> None:
    addresses = Addresses(named={"ingest": "http://here:1", "sandbox": "http://there:2"}, pattern="http://{name}:8080")

    assert addresses.of(["ingest", "deliver-email"]) == {
        "ingest": "http://here:1",
        "sandbox": "http://there:2",
        "deliver-email": "http://deliver-email:8080",
    }


def test_without_a_pattern_only_those_have_an_address_that_are_named() -> None:
    assert Addresses(named={"ingest": "http://here:1"}).of(["orchestrate"]) == {"ingest": "http://here:1"}


@pytest.mark.parametrize("command", ["sources", "gateway"])
@pytest.mark.parametrize("pattern", ["http://everybody:8080", "{name}:8080", "ftp://{name}"])
def test_a_pattern_that_is_no_address_of_each_is_refused(command: str, pattern: str) -> None:
    said = CliRunner().invoke(main, [command, "--at", pattern])

    assert (said.exit_code, "--at" in said.output) == (2, True)


def test_a_gateway_that_knows_no_way_to_a_function_does_not_start() -> None:
    with undisturbed():  # the log of this process is not the command's
        said = CliRunner().invoke(main, ["gateway", "--service", "ingest=http://here:1"])

    assert said.exit_code == 2
    assert "no address for access, callbacks, console" in said.output


def test_a_function_that_nobody_names_is_asked_for() -> None:
    said = CliRunner().invoke(main, ["serve"])

    assert said.exit_code == 2
    assert "set FUNCTION" in said.output
