"""What a run says: a table of what was found, and the stories of those that broke a promise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from tests.chaos.audit import Breach, Findings, Offence

STORIES = 3
"""So many of each kind of breach are told."""


def table(findings: Mapping[str, Findings]) -> Iterator[str]:
    """Write what was counted, a column for each run, and the breaches below."""
    columns = list(findings.values())
    yield f"{'':44}" + "".join(f"{name:>14}" for name in findings)
    for name in dict.fromkeys(name for column in columns for name in column.counts):
        yield f"{name:44}" + "".join(f"{column.counts[name]:>14,}" for column in columns)
    breaches = [Counter(offence.breach for offence in column.offences) for column in columns]
    for breach in Breach:
        yield f"{breach:44}" + "".join(f"{column[breach]:>14,}" for column in breaches)


def endings(findings: Findings) -> Iterator[str]:
    """Write how each kind of notification ended."""
    kinds: dict[str, list[str]] = {}
    for (kind, status), count in sorted(findings.endings.items()):
        kinds.setdefault(kind, []).append(f"{count} {status}")
    for kind, said in kinds.items():
        yield f"  {kind:20} {', '.join(said)}"


def stories(findings: Findings) -> Iterator[str]:
    """Tell the first offenders of each breach."""
    told: Counter[Breach] = Counter()
    for offence in findings.offences:
        told[offence.breach] += 1
        if told[offence.breach] <= STORIES:
            yield from _story(offence)


def _story(offence: Offence) -> Iterator[str]:
    posted, document = offence.posted, offence.document
    yield f"\n{offence.breach}: {posted.marker} for {posted.user}, posted {posted.times} times, {posted.refusal}"
    if document is None:
        yield f"   {posted.id or 'no id'}"
        return
    yield f"   {document['id']}: {document['status']}, {document['reason']}"
    for delivery in document["deliveries"]:
        yield f"   {delivery['channel']}: {delivery['status']}, {delivery['tries']} tries, due {delivery['due_at']}"
    for line in document["timeline"]:
        said = f"{line.get('channel', ''):10} {line['what']:15} {line['why']}  {line.get('detail', '')}"
        yield f"   {line['at'][11:23]}  {said}"
