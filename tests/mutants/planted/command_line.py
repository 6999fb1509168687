"""Bugs in the command line, and in what the doctor finds."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ALONE = "tests/unit/test_command_line.py"
LINES = "tests/unit/test_event_lines.py"
MANY = "tests/unit/test_sending_many.py"
FOLLOWING = "tests/unit/test_following.py"
PRINTING = "tests/unit/test_printing.py"
AT_HOME = "tests/integration/test_doctor.py"
NEIGHBOURS = "tests/contract/test_doctor.py"

PLANTED = (
    Mutant(
        name="key-by-the-lines-number",
        breaks="A line put in above makes no line below it new.",
        file="infrastructure/cli/event_lines.py",
        text='return f"{digest.hex()}-{times}" if times else digest.hex()',
        instead='return f"{digest.hex()}-{sum(seen.values())}"',
        looks_at=(LINES,),
    ),
    Mutant(
        name="same-words-sent-once",
        breaks="Two lines of the same words are two events.",
        file="infrastructure/cli/event_lines.py",
        text="times = seen[digest]",
        instead="times = 0",
        looks_at=(LINES,),
    ),
    Mutant(
        name="a-set-falls-with-one-of-it",
        breaks="A set that is refused as a whole costs only the event that it is refused for.",
        file="infrastructure/cli/sending_many.py",
        text="await self._post(chosen[middle:])",
        instead="pass",
        looks_at=(MANY,),
    ),
    Mutant(
        name="done-through-the-furthest",
        breaks="Where a bulk ended early, what was not answered is sent by the next run.",
        file="infrastructure/cli/sending_many.py",
        text="self.summary.done_through = max(self.summary.done_through, first_open - 1)",
        instead="self.summary.done_through = self._furthest + len(chosen)",
        looks_at=(MANY,),
    ),
    Mutant(
        name="change-told-twice",
        breaks="Whoever follows is told each change once.",
        file="infrastructure/cli/following.py",
        text="self._told[key] = said",
        instead="self._told[key] = key",
        looks_at=(FOLLOWING,),
    ),
    Mutant(
        name="escapes-reach-the-terminal",
        breaks="A stranger's text moves nobody's cursor.",
        file="infrastructure/cli/printing.py",
        text='return _CONTROL.sub(" ", "" if text is None else str(text))',
        instead='return "" if text is None else str(text)',
        looks_at=(PRINTING,),
    ),
    Mutant(
        name="interruption-is-a-failure",
        breaks="Ctrl-C ends with a code of its own.",
        file="infrastructure/cli/commands.py",
        text="sys.exit(Exit.INTERRUPTED)",
        instead="sys.exit(Exit.FAILED)",
        looks_at=(ALONE,),
    ),
    Mutant(
        name="heavy-help",
        breaks="The help costs no heavy import.",
        file="infrastructure/cli/showing.py",
        text="from infrastructure.cli.printing import put, put_json, terminal_width",
        instead="from infrastructure.cli.printing import put, put_json, terminal_width\nimport aiohttp",
        looks_at=(ALONE,),
    ),
    Mutant(
        name="client-follows-a-redirect",
        breaks="The key is shown to nobody but the server.",
        file="infrastructure/client/carillon.py",
        text="headers=headers, allow_redirects=False",
        instead="headers=headers, allow_redirects=True",
        looks_at=("tests/integration/test_python_client.py",),
    ),
    Mutant(
        name="edited-migration-unseen",
        breaks="A migration that was edited after it was applied is a fault.",
        file="shared/store/migrating.py",
        text="if applied.get(name, _checksum(sql)) != _checksum(sql):",
        instead="if False:",
        looks_at=(AT_HOME,),
    ),
    Mutant(
        name="doctor-waits-for-ever",
        breaks="A check that hangs keeps nobody from looking at the rest.",
        file="infrastructure/doctor/examining.py",
        text="async with asyncio.timeout(check.seconds):",
        instead="async with asyncio.timeout(None):",
        looks_at=(AT_HOME,),
    ),
    Mutant(
        name="doctor-shows-a-secret",
        breaks="No finding holds a secret.",
        file="infrastructure/doctor/examining.py",
        text='found = f"this check failed by itself: {type(bug).__name__}"',
        instead='found = f"this check failed by itself: {bug}"',
        looks_at=(AT_HOME,),
    ),
    Mutant(
        name="other-arguments-unseen",
        breaks="A queue that is declared otherwise is a fault.",
        file="shared/broker/examining.py",
        text='await self._try(name, action, {**which, "durable": True, **how})',
        instead="pass",
        looks_at=(NEIGHBOURS,),
    ),
)
