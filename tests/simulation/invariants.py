"""What must be true of every run, whatever went wrong in it. Each is a promise in a sentence, and a way to check it.

How channels and notifications follow each other is in `sequence.py`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from shared.saga import OnAmbiguous, Saga, owed
from shared.saga.attempts import THROTTLE_SECONDS
from shared.statuses import REACHED, TERMINAL, Channel, DeliveryStatus, NotificationStatus, OutcomeKind
from shared.store.claims import LEASE_SECONDS
from tests.simulation.called_back import OF_CANCELLED
from tests.simulation.digests import OF_DIGESTS
from tests.simulation.history import Call
from tests.simulation.mail import DEADLINE_SECONDS
from tests.simulation.punctual import LATE_SECONDS, OF_TIME, SLACK_SECONDS, SWEPT_SECONDS
from tests.simulation.record import Line, Record
from tests.simulation.sequence import IN_SEQUENCE
from tests.simulation.store.rows import AttemptRow
from tests.simulation.weather import Climate

N, D, K = NotificationStatus, DeliveryStatus, OutcomeKind

Invariant = Callable[[Record], Iterator[str]]
"""Finds what breaks a promise; its docstring is the promise."""

LEAVES: dict[NotificationStatus, frozenset[NotificationStatus]] = {
    N.FAILED: frozenset({N.PENDING, N.SENT}),
    N.UNKNOWN: frozenset({N.PENDING, N.SENT}),
    N.EXPIRED: frozenset({N.SENT}),
    N.SENT: frozenset({N.QUEUED, N.COMPENSATING, N.DELIVERED}),
    N.DELIVERED: frozenset(),
    N.SKIPPED: frozenset({N.SENT}),
    N.CANCELLED: frozenset({N.COMPENSATING}),
}
"""By the design: a replay, a late success, an asynchronous failure or no acknowledgement in time, a receipt."""


def every_accepted_notification_ends(record: Record) -> Iterator[str]:
    """Every accepted notification ends, and nothing is owed to it any more."""
    for key, saga in record.sagas.items():
        if saga.status not in TERMINAL or owed(saga, record.now):
            yield f"{key} is {saga.status}"


def what_was_answered_is_kept(record: Record) -> Iterator[str]:
    """202 means kept."""
    for key in record.history.answered:
        if key not in record.sagas:
            yield f"{key} was answered {record.history.answered[key]} and is nowhere"


def what_is_sent_again_is_marked(record: Record) -> Iterator[str]:
    """Every acceptance of a provider beyond the first is matched by an ambiguous attempt, or by one that came back."""
    back = Counter((key, channel) for key, channel, _ in record.returned)
    taken = Counter((a.notification, a.channel) for a in record.history.acceptances)
    marked = Counter((a.notification_id, a.said.channel) for a in record.attempts if a.ambiguous)
    for place, count in taken.items():
        if count - 1 > marked[place] + back[place]:
            yield f"{place[0]} was accepted {count} times on {place[1]}, and {marked[place]} attempts are marked"


def what_may_not_be_repeated_is_not(record: Record) -> Iterator[str]:
    """Where the workflow says hold, nothing is sent twice, unless a person starts it over."""
    taken = Counter((a.notification, a.channel, a.epoch) for a in record.history.acceptances)
    for (key, channel, epoch), count in taken.items():
        if count > 1 and record.sagas[key].plan.on_ambiguous is OnAmbiguous.HOLD:
            yield f"{key} was accepted {count} times on {channel} in epoch {epoch}"


def what_may_be_sent_is_not_denied(record: Record) -> Iterator[str]:
    """What a provider has taken, and has not reported as undeliverable, is never told as certainly not sent."""
    honest = {(a.notification_id, a.said.channel) for a in record.attempts if a.ambiguous}
    for taken in record.history.acceptances:
        if (taken.notification, taken.channel, taken.epoch) in record.returned:
            continue
        saga = record.sagas[taken.notification]
        delivery = saga.delivery(taken.channel)
        is_told = saga.status in (N.SENT, N.DELIVERED, N.UNKNOWN) or (delivery and delivery.status is D.UNKNOWN)
        is_told = is_told or _is_taken_back(saga, taken.channel)
        if not is_told and (taken.notification, taken.channel) not in honest:
            yield f"{taken.notification} was accepted on {taken.channel} and is {saga.status}"


def _is_taken_back(saga: Saga, channel: Channel) -> bool:
    """Tell whether it was called back, and its delivery says that it was sent all the same."""
    delivery = saga.delivery(channel)
    is_told = delivery is not None and (delivery.status in REACHED or delivery.status is D.RETRACTED)
    return saga.status is N.CANCELLED and is_told


def a_success_wins(record: Record) -> Iterator[str]:
    """A success that is recorded wins unless it came back, however late it is, even if the broker lost the word."""
    for attempt in record.attempts:
        status = record.sagas[attempt.notification_id].status
        if (attempt.notification_id, attempt.said.channel, attempt.said.epoch) in record.returned:
            continue
        if _is_taken_back(record.sagas[attempt.notification_id], attempt.said.channel):
            continue
        if attempt.said.outcome is K.ACCEPTED and status not in (N.SENT, N.DELIVERED):
            yield f"{attempt.notification_id} was accepted on {attempt.said.channel} and is {status}"


def an_end_is_left_only_by_the_table(record: Record) -> Iterator[str]:
    """A terminal status is left only by the rows of the table, and a replay begins a new epoch."""
    for moved in record.history.moves:
        if record.is_member(moved.notification):  # another table: it follows its digest
            continue
        if moved.before in LEAVES and moved.after not in LEAVES[moved.before]:
            yield f"{moved.notification} went from {moved.before} to {moved.after}"
        begins = moved.before in (None, N.SCHEDULED)
        if moved.after is N.PENDING and not begins and moved.epoch != moved.epoch_before + 1:
            yield f"{moved.notification} was started over within epoch {moved.epoch}"


def what_needs_a_person_is_kept_for_one(record: Record) -> Iterator[str]:
    """A notification becomes failed or unknown in the transaction that keeps its dead letter."""
    for moved in record.history.moves:
        is_alone = not record.is_member(moved.notification)  # else its digest is kept, for all of its members
        if moved.after in (N.FAILED, N.UNKNOWN) and is_alone and not moved.has_dead_letter:
            yield f"{moved.notification} became {moved.after} without a dead letter"


def _used(attempts: list[AttemptRow], *, at_most: bool = True) -> list[AttemptRow]:
    """Find the attempts that use up a try: all but those that were throttled.

    One that was given up as lost and turned out to be throttled has used one up, unless its word came in time.
    """
    return [a for a in attempts if a.said.outcome is not K.THROTTLED or (at_most and a.ambiguous)]


def _lines(record: Record) -> dict[Line, list[AttemptRow]]:
    found: dict[Line, list[AttemptRow]] = defaultdict(list)
    for attempt in record.attempts:
        found[attempt.notification_id, attempt.said.channel, attempt.said.epoch].append(attempt)
    return found


def tries_are_as_many_as_promised(record: Record) -> Iterator[str]:
    """No more tries are made than promised, and no fewer before a channel is given up for want of success."""
    lines = _lines(record)
    for line, attempts in lines.items():
        most = record.sagas[line[0]].plan.max_tries
        least = len(_used(attempts, at_most=False))
        if line[2] == record.sagas[line[0]].epoch and least > most:
            yield f"{line[0]} had {least} tries on {line[1]}, of {most}"
    for moved in record.history.delivery_moves:
        saga = record.sagas[moved.notification]
        is_given_up = moved.after is D.FAILED and moved.reason.startswith("no success in")
        used = len(_used(lines[moved.notification, moved.channel, moved.epoch]))
        if is_given_up and moved.epoch == saga.epoch and used < saga.plan.max_tries:
            yield f"{moved.notification} was given up on {moved.channel} after {used} tries of {saga.plan.max_tries}"


def waits_are_as_long_as_promised(record: Record) -> Iterator[str]:
    """No attempt comes before its time; and where nothing goes wrong, none comes two seconds after it."""
    calls = {(c.command, c.channel): c.asked_at for c in reversed(record.history.calls)}
    doubted = {m.notification for m in record.history.delivery_moves if "breaker" in m.reason}
    for (key, channel, epoch), attempts in _lines(record).items():
        if epoch != record.sagas[key].epoch:
            continue  # its plan may be another one now
        for attempt in attempts:
            said = attempt.said
            wait = _promised_wait(record, attempt, attempts)
            following = [at for (c, where), at in calls.items() if _follows(c, where, attempt)]
            if wait is None or not following or attempt.ambiguous:
                continue
            pause = following[0] - record.seconds(attempt.ended_at)
            if pause < wait:
                yield f"{key} was tried again on {channel} after {pause:.3f} s of {wait:g} s (attempt {said.attempt})"
            latest = wait * 1.1 + LATE_SECONDS + SLACK_SECONDS + (SWEPT_SECONDS if wait * 1.1 >= 3600 else 0)
            if record.weather.climate is Climate.CALM and key not in doubted and pause > latest:
                yield f"{key} was tried again on {channel} only after {pause:.3f} s of {wait:g} s"


def _follows(command: object, channel: Channel, attempt: AttemptRow) -> bool:
    wanted = (attempt.notification_id, attempt.said.attempt + 1, attempt.said.epoch)
    return channel is attempt.said.channel and (command.notification_id, command.attempt, command.epoch) == wanted  # type: ignore[attr-defined]


def _promised_wait(record: Record, attempt: AttemptRow, line: list[AttemptRow]) -> float | None:
    said, before = attempt.said, [a for a in line if a.said.attempt <= attempt.said.attempt]
    if said.outcome is K.THROTTLED:
        deferrals = len(before) - len(_used(before)) - 1
        scheduled = THROTTLE_SECONDS[min(deferrals, len(THROTTLE_SECONDS) - 1)]
        return max(said.retry_after_seconds, 1.0) if said.retry_after_seconds is not None else float(scheduled)
    waits = record.sagas[attempt.notification_id].plan.retry_seconds
    tries = len(_used(before))
    return waits[tries - 1] if said.outcome is K.TRANSIENT and tries <= len(waits) else None


def who_does_not_want_it_does_not_get_it(record: Record) -> Iterator[str]:
    """Nobody is called for who did not want it when the attempt was claimed."""
    for call in record.history.calls:
        category = record.sagas[call.command.notification_id].plan.category
        said = [_last_wish(record, call, name) for name in (category, "*")]
        if next((word for word in said if word is not None), True) is False:  # the most specific word counts
            yield f"{call.user_id} wanted no {category} on {call.channel}, and was sent {call.command.notification_id}"


def _last_wish(record: Record, call: Call, category: str) -> bool | None:
    """Find what somebody had said last of a category and a channel before a claim."""
    about = (call.user_id, call.channel, category)
    wishes = record.history.wishes
    said = [w.enabled for w in wishes if (w.user_id, w.channel, w.category) == about and w.at < call.claimed_at]
    return said[-1] if said else None


def a_call_has_its_claim_and_its_time(record: Record) -> Iterator[str]:
    """A call is made under a claim, and while enough of its lease is left."""
    for call in record.history.calls:
        if call.token is None:
            yield f"{call.command.notification_id} was sent without a claim"
        elif call.asked_at > call.claimed_at + LEASE_SECONDS - DEADLINE_SECONDS:
            late = call.asked_at - call.claimed_at
            yield f"{call.command.notification_id} was sent {late:.1f} s after its claim, of {LEASE_SECONDS} s"


def counters_equal_the_world(record: Record) -> Iterator[str]:
    """What the processes have counted is what the world has seen; less, where one died before it could count."""
    names = sorted({*record.history.told, *record.counted})
    for name in names:
        counted, told = record.counted.get(name, 0), record.history.told[name]
        if counted > told or (counted < told and not record.weather.crash):
            yield f"{name}: {counted:g} counted, {told} seen"


def every_line_has_a_reason(record: Record) -> Iterator[str]:
    """Every decision has a reason that can be read."""
    for row in record.timeline:
        for entry in row.entries:
            if not entry.why.strip():
                yield f"{row.notification_id}: {entry.what} without a reason"


INVARIANTS: tuple[Invariant, ...] = (
    every_accepted_notification_ends,
    what_was_answered_is_kept,
    what_is_sent_again_is_marked,
    what_may_not_be_repeated_is_not,
    what_may_be_sent_is_not_denied,
    a_success_wins,
    an_end_is_left_only_by_the_table,
    what_needs_a_person_is_kept_for_one,
    tries_are_as_many_as_promised,
    waits_are_as_long_as_promised,
    who_does_not_want_it_does_not_get_it,
    a_call_has_its_claim_and_its_time,
    counters_equal_the_world,
    every_line_has_a_reason,
    *IN_SEQUENCE,
    *OF_CANCELLED,
    *OF_DIGESTS,
    *OF_TIME,
)


def broken_promises(record: Record) -> list[str]:
    """List every promise that a run has broken, with what broke it."""
    found = list(record.history.violations)
    for invariant in INVARIANTS:
        promise = (invariant.__doc__ or "").strip().rstrip(".")
        found += [f"{promise}: {what}." for what in invariant(record)]
    return found
