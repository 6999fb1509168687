"""Examine everything that Carillon stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from infrastructure.cli.commands import examples
from infrastructure.cli.connecting import Where, at_server
from infrastructure.cli.exits import Ended, Exit
from infrastructure.cli.printing import put, put_json, say, table, terminal_width
from infrastructure.cli.showing import AS_JSON
from infrastructure.cli.starting import run_loop

if TYPE_CHECKING:
    from infrastructure.doctor.findings import Finding


@click.command(
    epilog=examples(
        "carillon doctor",
        "carillon doctor --url https://notify.example.com --key-file /run/secrets/key",
        "carillon doctor --json | jq '.findings[] | select(.verdict != \"ok\")'",
    )
)
@AS_JSON
@at_server
def doctor(*, where: Where, as_json: bool) -> None:
    """Examine everything that Carillon stands on: settings, database, broker, providers, this machine.

    Every check is by itself and has a deadline. Nothing is changed, nobody is written to, and no secret is shown. Ends
    with 1 if there is a fault; what is only strange is a warning.
    """
    from infrastructure.doctor import settings
    from infrastructure.doctor.examining import examine
    from infrastructure.doctor.findings import Verdict, World
    from shared.logs import configure

    configure("CRITICAL")  # what is found is told once, by the finding
    known, (read, wrong) = where.settings(), settings.read()
    is_said = "url" in known.model_fields_set
    world = World(settings=read, wrong=wrong, url=known.url, is_url_said=is_said, key=where.key(known))
    findings: list[Finding] = run_loop(examine(world))
    faults = sum(one.verdict is Verdict.FAULT for one in findings)
    warnings = sum(one.verdict is Verdict.WARNING for one in findings)
    if as_json:
        worst = "fault" if faults else "warning" if warnings else "ok"
        put_json({"verdict": worst, "findings": [one.document() for one in findings]})
    else:
        rows = [
            (one.verdict.value, one.about, f"{one.found}{f' -> {one.remedy}' if one.remedy else ''}")
            for one in findings
        ]
        for line in table(("", "", ""), rows, terminal_width()):
            put(line)
    say(f"{len(findings)} findings: {faults} faults, {warnings} warnings")
    if faults:
        raise Ended(Exit.FAILED, "something does not work: see the faults")
