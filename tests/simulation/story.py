"""A run told in plain words: when, who, did what, to which notification."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from shared.store.claims import Claim
from tests.simulation.history import Event, History
from tests.simulation.wire import Fate

WORDS: Mapping[str, str] = {
    "acknowledge": "acknowledges",
    "breakers.fail": "tells the breaker of a failure",
    "breakers.read": "looks at the breaker",
    "breakers.release": "frees the place of the probe",
    "breakers.succeed": "closes the breaker",
    "breakers.try_probe": "asks to be the probe",
    "claims.claim": "asks for the claim",
    "claims.give_back": "gives the claim back",
    "claims.postpone": "postpones the attempt",
    "claims.record": "records the outcome",
    "dead_letters.count_failure": "counts an unexpected failure",
    "dead_letters.keep_bytes": "keeps what it cannot use",
    "dead_letters.replay": "starts a dead letter over",
    "gauges.backlog": "reads the backlog",
    "gauges.recount": "counts the backlog",
    "inbox.acknowledge": "notes an acknowledgement",
    "inbox.put": "puts it into the inbox",
    "intake.keep": "keeps it",
    "provider.send": "hears from the provider",
    "publish": "publishes",
    "reject": "rejects",
    "receipts.keep": "keeps a receipt",
    "sagas.attempts": "reads attempts",
    "sagas.bury": "keeps the dead letter",
    "sagas.commit": "commits",
    "sagas.facts": "reads the facts",
    "sagas.hasten": "marks what the broker lost",
    "sagas.late_successes": "looks for late successes",
    "sagas.lock": "locks",
    "sagas.lock_due": "locks what is due",
    "sagas.receipts": "reads receipts",
    "sagas.retract": "takes it out of the inbox",
    "sagas.save": "writes",
    "unlocked.load": "reads",
    "unlocked.save": "writes, if nothing has changed",
}
QUIET = frozenset(
    {
        "breakers.read",
        "gauges.backlog",
        "gauges.recount",
        "sagas.attempts",
        "sagas.late_successes",
        "sagas.receipts",
    }
)
"""What only reads is left out where it went well."""


def mentioned(values: object) -> Iterator[UUID]:
    """Find the notifications that some values are about."""
    if isinstance(values, UUID):
        yield values
    elif isinstance(values, str):
        if len(values) > 36 and values[36] == "/":
            yield UUID(values[:36])
    elif isinstance(values, Mapping):
        yield from mentioned(list(values))
    elif isinstance(values, Iterable) and not isinstance(values, bytes):
        for value in values:
            yield from mentioned(value)
    else:
        for name in ("notification_id", "command", "before", "id"):
            if hasattr(values, name):
                yield from mentioned(getattr(values, name))
                return


def tell(history: History, *, everything: bool = False) -> list[str]:
    """Write a history, a line for everything that happened."""
    names: dict[UUID, str] = {}
    for event in history.events:
        if event.who == "client" and event.what == "posts":
            names[event.values[0]] = str(event.details[0])
    return [_line(event, names) for event in history.events if everything or not _is_quiet(event)]


def _is_quiet(event: Event) -> bool:
    return event.what in QUIET and event.details[:2] == (Fate.DONE, None)


def _line(event: Event, names: Mapping[UUID, str]) -> str:
    known = dict.fromkeys(names[key] for key in mentioned(event.values) if key in names)
    about = f" [{', '.join(known)}]" if known else ""
    minutes, seconds = divmod(event.at, 60)
    hours, minutes = divmod(minutes, 60)
    is_effect = bool(event.details) and isinstance(event.details[0], Fate)
    said = _effect(event) if is_effect else ": " + ", ".join(filter(None, map(_plain, event.details)))
    what = WORDS.get(event.what, event.what)
    return f"{hours:02.0f}:{minutes:02.0f}:{seconds:06.3f}  {event.who:<18} {what}{about}{said}".rstrip(": ")


def _effect(event: Event) -> str:
    fate, failure, result = (*event.details, None, None)[:3]
    if fate is Fate.REFUSED:
        return ": refused, and not done"
    if failure is not None:
        return f": fails, {failure}"
    said = _result(event.what, event.values, result)
    return f"{said} (done, and told that it failed)" if fate is Fate.UNKNOWN else said


def _result(what: str, values: tuple[Any, ...], result: Any) -> str:
    if what == "claims.claim":
        return ": " + ", ".join(_claim(claim) for claim in result)
    if what == "claims.record":
        return ": " + ", ".join(f"{item.outcome.kind} ({item.outcome.reason})" for item in values[1])
    if what == "publish":
        said = [
            f"{message.queue} {message.id[37:]}{f' in {message.delay_seconds} s' if message.delay_seconds else ''}"
            f"{' REFUSED' if refusal else ''}"
            for message, refusal in zip(values[0], result, strict=True)
        ]
        return ": " + "; ".join(said)
    if what == "provider.send":
        return f": {result.kind} ({result.reason})"
    if what == "breakers.read":
        return f": {result.state}"
    return f": {'yes' if result else 'no'}" if isinstance(result, bool) else ""


def _claim(claim: Claim | Exception) -> str:
    if isinstance(claim, Exception):
        return f"fails, {claim}"
    if claim.withheld:
        return f"{claim.verdict}, but {claim.withheld}"
    return f"{claim.verdict}, {claim.remaining_seconds:.3f} s" if claim.verdict == "early" else str(claim.verdict)


def _plain(detail: object) -> str:
    if detail is None:
        return ""
    return f"{detail:.3f} s" if isinstance(detail, float) else str(detail)
