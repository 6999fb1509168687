"""Send the events of a file: the bar, the summary, and the file of what was rejected."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import click

from infrastructure.cli.connecting import Where, ask, refusal, unavailable
from infrastructure.cli.event_lines import Form, Line, Reading, read
from infrastructure.cli.exits import Ended, Exit, misconfigured
from infrastructure.cli.printing import put_json_line, say
from infrastructure.cli.sending_many import Answered, Bulk, Summary
from infrastructure.client import Carillon, RequestRefused

PATIENCE_SECONDS = 600.0
"""A full backlog asks to be left alone for ten seconds, again and again."""

STANDARD_INPUT = "-"
MOST_TOLD = 10
"""So many rejected lines are told one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the options say of a file, and how it is sent."""

    path: str
    form: str | None = None
    run: str | None = None
    from_line: int | None = None
    rejected: Path | None = None
    set_size: int | None = None
    at_once: int | None = None
    as_json: bool = False

    @property
    def is_piped(self) -> bool:
        """Whether the events come by the standard input."""
        return self.path == STANDARD_INPUT

    def reading(self, defaults: dict[str, Any]) -> Reading:
        """Decide the form and the name of the run. What is piped has no name, so it gets one that nobody has."""
        by_name = Form.CSV if Path(self.path).suffix.lower() in {".csv", ".tsv"} else Form.JSONL
        name = self.run or (str(uuid4()) if self.is_piped else Path(self.path).name)
        return Reading(form=Form(self.form) if self.form else by_name, run=name, defaults=defaults)

    def rejects(self) -> Path:
        """Say where rejected lines go."""
        beside = Path("rejected.jsonl" if self.is_piped else f"{self.path}.rejected.jsonl")
        return self.rejected or beside


def send_many(where: Where, defaults: dict[str, Any], choices: Choices) -> None:
    """Send them, tell how far it came, and end with 1 if any was rejected."""
    reading = choices.reading(defaults)
    say(f"run {reading.run}: repeated with --run {reading.run}, nothing of it is sent twice")
    with ExitStack() as stack:
        file = _opened(choices, stack)
        bar = _bar(choices, stack)
        rejects = _Rejects(choices.rejects(), stack)
        lines = _left(read(file, reading), choices.from_line or 1, bar)

        def tell(answered: Answered) -> None:
            if choices.as_json:
                put_json_line(answered.document())
            if answered.problem is not None:
                rejects.keep(answered)

        async def work(carillon: Carillon) -> Summary:
            bulk = Bulk(carillon, tell, set_size=choices.set_size or 200, at_once=choices.at_once or 4)
            return await bulk.post(lines)

        summary = ask(where, work, usual_patience_seconds=PATIENCE_SECONDS)
    _conclude(where, summary, rejects)


def _conclude(where: Where, summary: Summary, rejects: _Rejects) -> None:
    rejects.tell()
    known = f", {summary.known} of them by an earlier run" if summary.known else ""
    say(f"{summary.kept} kept{known}; {summary.rejected} rejected")
    if summary.failure is not None:
        say(
            "not all was sent: the same command goes on where this ended, "
            f"and --from-line {summary.done_through + 1} leaves out what is done"
        )
        failure = summary.failure
        raise refusal(failure.problem) if isinstance(failure, RequestRefused) else unavailable(where, failure)
    if summary.rejected:
        raise Ended(Exit.FAILED, f"{summary.rejected} rejected; they are in {rejects.path}")


class _Rejects:
    """The file of what was rejected, made when there is something."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path = path
        self._stack = stack
        self._file: IO[str] | None = None
        self._first: list[Answered] = []

    def keep(self, answered: Answered) -> None:
        """Write one down, with what it said and why it was rejected."""
        if self._file is None:
            try:
                self._file = self._stack.enter_context(self.path.open("w", encoding="utf-8"))
            except OSError as failure:
                raise misconfigured(f"{self.path} cannot be written: {failure.strerror}") from None
        self._file.write(json.dumps(answered.rejection()) + "\n")
        if len(self._first) < MOST_TOLD:
            self._first.append(answered)

    def tell(self) -> None:
        """Tell the first of them."""
        for one in self._first:
            problem = one.problem or {}
            about = f" ({problem['field']})" if problem.get("field") else ""
            say(f"line {one.line.number}: {problem.get('title', '')}{about}: {problem.get('detail', '')}")


def _opened(choices: Choices, stack: ExitStack) -> IO[str]:
    # A byte that is no UTF-8 spoils its own line, not the file.
    how: dict[str, Any] = {"encoding": "utf-8-sig", "errors": "surrogateescape", "newline": ""}
    try:
        if choices.is_piped:
            return stack.enter_context(open(sys.stdin.fileno(), closefd=False, **how))
        return stack.enter_context(open(choices.path, **how))
    except OSError as failure:
        raise misconfigured(f"{choices.path} cannot be read: {failure.strerror}") from None


def _bar(choices: Choices, stack: ExitStack) -> Callable[[int], object]:
    """Show a bar where somebody looks, and the file's length is known."""
    if choices.is_piped or not sys.stderr.isatty():
        return lambda lines: None
    with open(choices.path, "rb") as file:
        length = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b"")) or 1
    bar: Any = click.progressbar(
        length=length, label="sending", file=sys.stderr, show_pos=True, update_min_steps=max(1, length // 200)
    )
    return stack.enter_context(bar).update  # type: ignore[no-any-return]


def _left(lines: Iterator[Line], first: int, advance: Callable[[int], object]) -> Iterator[Line]:
    """Leave out what comes before a line; it is read all the same, for its words count in the keys of the others."""
    before = 0
    for line in lines:
        advance(line.number - before)
        before = line.number
        if line.number >= first:
            yield line
