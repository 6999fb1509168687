"""What is done to the database from the command line: to bring it up to date, and to make a first key."""

from __future__ import annotations

import re

import click

from infrastructure.cli.commands import examples
from infrastructure.cli.exits import Ended, Exit
from infrastructure.cli.printing import put_json, say
from infrastructure.cli.starting import database_url, read_settings, run
from shared.access import SCOPES, Access


@click.command(
    epilog=examples(
        "carillon migrate", "carillon migrate --check || echo 'the schema is old'", "carillon migrate --check --json"
    )
)
@click.option("--check", "is_check", is_flag=True, help="Change nothing; say what is missing, and end with 1 if it is.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--demo-people", is_flag=True, help="Put two people there to write to, if it knows nobody.")
def migrate(*, is_check: bool, as_json: bool, demo_people: bool) -> None:
    """Bring the database at DATABASE_URL up to date.

    Each file is applied in a transaction of its own, and once, however many processes do this at the same time.
    """
    from shared.store import migrating

    known = read_settings()
    url = database_url(known)
    if not is_check:
        applied = run(migrating.migrate(url, tell=lambda name: say(f"applying {name}")), known)
        _print({"applied": applied}, [f"applied {name}" for name in applied] or ["nothing to do"], as_json=as_json)
        if demo_people:
            from infrastructure.local.demo_data import put_demo_people

            run(put_demo_people(url), known)
        return
    missing = run(migrating.missing(url), known)
    _print({"missing": missing}, [f"missing {name}" for name in missing] or ["up to date"], as_json=as_json)
    if missing:
        raise Ended(Exit.FAILED, f"the schema is not up to date: carillon migrate applies {len(missing)}")


@click.group(epilog=examples("carillon keys create --tenant acme --name first --scope admin"))
def keys() -> None:
    """Make API keys in the database at DATABASE_URL."""


@keys.command(
    epilog=examples(
        "carillon keys create --tenant acme --name first --scope admin",
        "carillon keys create --tenant acme --name shop --scope send --scope read > shop.key",
    )
)
@click.option("--tenant", required=True, help="Whose key: a-z, 0-9, - and _.")
@click.option("--name", required=True, help="What it is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in SCOPES]),
    help="Once for each.",
)
def create(*, tenant: str, name: str, scopes: tuple[str, ...]) -> None:
    """Make a key and print it: it is shown now and never again."""
    from infrastructure.local.keys import create_key
    from shared.events import TENANT

    if not re.fullmatch(TENANT, tenant):
        raise click.BadParameter("it has a-z, 0-9, - and _, and begins with a letter or digit", param_hint="--tenant")
    if not name.isprintable() or not 1 <= len(name) <= 100:
        raise click.BadParameter("it is 1 to 100 printable characters", param_hint="--name")
    known = read_settings()
    scopes_asked = [Access(scope) for scope in scopes]
    click.echo(run(create_key(database_url(known), tenant, name, scopes_asked), known))


def _print(document: object, lines: list[str], *, as_json: bool) -> None:
    if as_json:
        put_json(document)
    else:
        click.echo("\n".join(lines))
