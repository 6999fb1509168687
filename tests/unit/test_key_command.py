"""Making a key from the command line: what is refused before anything is asked of the database."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from infrastructure.cli.main import main


@pytest.mark.parametrize(
    ("tenant", "name", "scope", "why"),
    [
        ("Acme Corp", "first", "admin", "--tenant"),
        ("acme", "", "admin", "--name"),
        ("acme", "a\nb", "admin", "--name"),
        ("acme", "a" * 101, "admin", "--name"),
        ("acme", "first", "person", "--scope"),
        ("acme", "first", "ADMINISTRATOR", "--scope"),
    ],
)
def test_a_key_that_cannot_be_is_refused_by_its_option(tenant: str, name: str, scope: str, why: str) -> None:
    said = CliRunner().invoke(main, ["keys", "create", "--tenant", tenant, "--name", name, "--scope", scope])

    assert said.exit_code == 2
    assert why in said.output
