"""Which mail belongs to which notification, and what is missing or too much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from infrastructure.bench.parcels import MAIL, Parcels, address

ACCEPTED = 202


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the load generator saw, in the order of the parcels; times are of the monotonic clock.

    `statuses` has 0 where the connection was cut: such an event may have been accepted all the same.
    """

    due: Sequence[float]
    sent: Sequence[float]
    answered: Sequence[float]
    statuses: Sequence[int]
    ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as the sink took it."""

    at: float
    mark: str
    recipient: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What came of the parcels of a run. Latencies, in seconds, count from when a parcel was due."""

    accepted: int
    refused: int
    lost: int
    duplicates: int
    misdirected: int
    strays: int
    post_seconds: list[float] = field(repr=False)
    mail_seconds: list[float] = field(repr=False)
    late_seconds: list[float] = field(repr=False)


def match(parcels: Parcels, answers: Answers, mails: Iterable[Mail]) -> Tally:
    """Match mails with accepted notifications by the mark in their text."""
    first: dict[int, Mail] = {}
    copies = strays = 0
    for mail in mails:
        number = parcels.number(mail.mark)
        if number is None:
            strays += 1
        elif number in first:
            copies += 1
        else:
            first[number] = mail
    accepted = [number for number, status in enumerate(answers.statuses) if status == ACCEPTED]
    return Tally(
        accepted=len(accepted),
        refused=parcels.count - len(accepted),
        lost=sum(number not in first for number in accepted if parcels.channel(number) == MAIL),
        duplicates=copies,
        misdirected=sum(mail.recipient != address(parcels.user(number)) for number, mail in first.items()),
        strays=strays,
        post_seconds=[answers.answered[number] - answers.due[number] for number in accepted],
        mail_seconds=[first[number].at - answers.due[number] for number in accepted if number in first],
        late_seconds=[answers.sent[number] - answers.due[number] for number in accepted],
    )
