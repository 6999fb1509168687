"""Judge a run by what a user can see: what the API says of each notification, the mailbox, and the inboxes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.statuses import REACHED, TERMINAL, UNDER_WAY
from tests.chaos.load import Posted

MARKER = re.compile(rb"Order ([a-z]+-\d+)\.")

Document = dict[str, Any]


class Breach(StrEnum):
    """A promise that was not kept."""

    NOT_ACCEPTED = "never accepted"
    REFUSED = "refused without cause"
    LOST = "lost"  # accepted, and the API knows nothing of it
    STUCK = "stuck"  # not ended in time
    SENT_WITHOUT_MAIL = "sent without a message"
    UNRECORDED = "a message without a record"
    UNMATCHED = "a duplicate without an ambiguous record"
    DUPLICATE = "a duplicate in calm"
    AMBIGUOUS = "ambiguous in calm"
    OTHERWISE = "ended otherwise than by itself"
    UNEXPLAINED = "not sent, and no attempt says why"


@dataclass(frozen=True, slots=True)
class Offence:
    """One notification that breaks a promise."""

    breach: Breach
    posted: Posted
    document: Document | None = field(default=None, repr=False)


@dataclass(slots=True, kw_only=True)
class Findings:
    """What an audit found."""

    offences: list[Offence] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    endings: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of a run from outside. `documents` and `heard` go by notification, `mails` by marker."""

    posted: Sequence[Posted]
    documents: Mapping[str, Document]
    mails: Mapping[str, int]
    heard: Mapping[str, int]
    is_calm: bool = False


def has_ended(document: Document) -> bool:
    """Tell whether nothing more will become of a notification: also no acknowledgement is waited for any more."""
    waiting = any(delivery["status"] in UNDER_WAY or delivery["deadline"] for delivery in document["deliveries"])
    return document["status"] in TERMINAL and not waiting


def count_mails(raws: Iterable[bytes]) -> Counter[str]:
    """Count mails by the marker in their text."""
    return Counter(found[1].decode() for raw in raws if (found := MARKER.search(raw)))


def judge(evidence: Evidence) -> Findings:
    """Hold every notification to the promises."""
    findings = Findings()
    for posted in evidence.posted:
        document = evidence.documents.get(posted.id) if posted.id else None
        breaches = _of_acceptance(posted, document)
        if document is not None:
            breaches += _of_one(evidence, posted, document)
            _count(findings, evidence, posted, document)
        findings.counts["posted"] += 1
        findings.counts["accepted"] += bool(posted.id)
        findings.counts["posted again"] += posted.times > 1
        findings.offences += [Offence(breach, posted, document) for breach in breaches]
    return findings


def _of_acceptance(posted: Posted, document: Document | None) -> list[Breach]:
    if posted.refusal:
        return [Breach.REFUSED]
    if not posted.id:
        return [Breach.NOT_ACCEPTED]
    if document is None:
        return [Breach.LOST]
    return [] if has_ended(document) else [Breach.STUCK]


def _of_one(evidence: Evidence, posted: Posted, document: Document) -> list[Breach]:
    found = []
    for channel, received in _received(evidence, posted).items():
        attempts = _attempts(document, channel)
        ambiguous = sum(attempt["ambiguous"] for attempt in attempts)
        accepted = sum(attempt["outcome"] == "accepted" for attempt in attempts)
        told = max(accepted, _is_reached(document, channel))
        if received < (told if channel == "email" else min(told, 1)):  # a repetition in an inbox is a success of none
            found.append(Breach.SENT_WITHOUT_MAIL)
        if received > 1 + ambiguous:
            found.append(Breach.UNMATCHED)
        if received and not accepted and not ambiguous:
            found.append(Breach.UNRECORDED)
        if evidence.is_calm and posted.kind.is_honest:
            found += [Breach.DUPLICATE] * (received > 1) + [Breach.AMBIGUOUS] * (ambiguous > 0)
    return found + _of_the_end(evidence, posted, document)


def _of_the_end(evidence: Evidence, posted: Posted, document: Document) -> list[Breach]:
    reached = {delivery["channel"] for delivery in document["deliveries"] if delivery["status"] in REACHED}
    expected = set(posted.kind.reaches)
    if not has_ended(document) or reached == expected:
        return []
    if evidence.is_calm:
        return [Breach.OTHERWISE]
    troubled = {attempt["channel"] for attempt in document["attempts"] if attempt["outcome"] != "accepted"}
    return [] if expected - reached <= troubled else [Breach.UNEXPLAINED]


def _received(evidence: Evidence, posted: Posted) -> dict[str, int]:
    heard = {"websocket": evidence.heard.get(posted.id, 0)} if posted.kind.has_inbox else {}
    return {"email": evidence.mails.get(posted.marker, 0), **heard}


def _attempts(document: Document, channel: str) -> list[Document]:
    return [attempt for attempt in document["attempts"] if attempt["channel"] == channel]


def _is_reached(document: Document, channel: str) -> bool:
    return any(delivery["channel"] == channel and delivery["status"] in REACHED for delivery in document["deliveries"])


def _count(findings: Findings, evidence: Evidence, posted: Posted, document: Document) -> None:
    received = _received(evidence, posted)
    honest = posted.kind.is_honest
    findings.counts["ended"] += has_ended(document)
    findings.counts["mails"] += received["email"]
    findings.counts["inbox messages"] += received.get("websocket", 0)
    findings.counts["attempts"] += len(document["attempts"])
    findings.counts["ambiguous attempts, honest recipients"] += honest * sum(
        attempt["ambiguous"] for attempt in document["attempts"]
    )
    findings.counts["takeovers"] += sum(attempt["code"] == "lease expired" for attempt in document["attempts"])
    findings.counts["duplicates, honest recipients"] += honest * sum(max(n - 1, 0) for n in received.values())
    findings.counts["duplicates"] += sum(max(n - 1, 0) for n in received.values())
    findings.endings[posted.kind.name, document["status"]] += 1
