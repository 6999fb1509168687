"""What must be true of digests in every run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from uuid import UUID

from shared.statuses import NotificationStatus
from tests.simulation.record import Record

N = NotificationStatus


def _members(record: Record, digest: UUID) -> list[UUID]:
    return [key for key, saga in record.sagas.items() if saga.digest_id == digest]


def a_member_stands_where_its_digest_stands(record: Record) -> Iterator[str]:
    """What is collected ends as the digest does that it is in."""
    for digest in record.digests:
        for key in _members(record, digest):
            if record.sagas[key].status is not record.sagas[digest].status:
                yield f"{key} is {record.sagas[key].status}, and its digest {record.sagas[digest].status}"


def a_digest_holds_each_of_its_members_once(record: Record) -> Iterator[str]:
    """Every member is in its digest once, and counted once, and nobody else is."""
    for digest, data in record.digests.items():
        members = sorted(record.said[key] for key in _members(record, digest))
        if members and (data.get("count"), sorted(_shown(data))) != (len(members), members):
            yield f"{digest} says {data.get('count')}: {_shown(data)}, and holds {members}"
        if not members and data.get("count"):
            yield f"{digest} says {data['count']}, and holds nobody"


def _shown(data: object) -> list[str]:
    return [event["message"] for event in data.get("events", [])] if isinstance(data, dict) else []


def an_event_is_in_one_message(record: Record) -> Iterator[str]:
    """No event is in two digests of its user, or in one twice, or both in one and alone."""
    told = Counter((record.users.get(key), message) for key, data in record.digests.items() for message in _shown(data))
    taken = {taken.notification for taken in record.history.acceptances}
    alone = {(record.users.get(key), record.said[key]) for key in taken if key in record.said}
    for one, count in told.items():
        if count > 1 or one in alone:
            yield f"{one[1]!r} was told {one[0]} {count} times in digests, alone: {one in alone}"


def a_digest_says_what_is_in_it(record: Record) -> Iterator[str]:
    """Every message of a digest says the same, however often and wherever it is sent."""
    for digest, texts in record.texts.items():
        wanted = _shown(record.digests[digest])
        for text in texts:
            said = [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")]
            if said != wanted and said[:3] != wanted[:3]:
                yield f"{digest} holds {wanted}, and says {said}"


OF_DIGESTS: tuple[Callable[[Record], Iterator[str]], ...] = (
    a_member_stands_where_its_digest_stands,
    a_digest_holds_each_of_its_members_once,
    an_event_is_in_one_message,
    a_digest_says_what_is_in_it,
)
