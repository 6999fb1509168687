"""What holds for every notification, whatever happens to it, in whatever order, and however often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import product
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.saga import (
    AttemptRecorded,
    Cancelled,
    CommandOwed,
    Compensated,
    Delivery,
    Erased,
    Looked,
    Occurrence,
    OnAmbiguous,
    Plan,
    Receipt,
    ReceiptRecorded,
    Replayed,
    ResultOwed,
    Routed,
    Saga,
    Strategy,
    Why,
    decide,
    due_now,
    next_look,
    owed,
)
from shared.saga.attempts import THROTTLE_SECONDS
from shared.statuses import (
    DELIVERY_TRANSITIONS,
    NOTIFICATION_TRANSITIONS,
    TERMINAL,
    UNDER_WAY,
    Channel,
    DeliveryStatus,
    NotificationStatus,
    OutcomeKind,
)
from tests.unit.sagas import EMAIL, NOON, SMS, WEBSOCKET, Story, is_final, pending

CHANNELS = (EMAIL, SMS, WEBSOCKET)
WAITING = frozenset({DeliveryStatus.RETRYING, DeliveryStatus.DEFERRED})
CALLED_BACK = frozenset({NotificationStatus.QUEUED, NotificationStatus.COMPENSATING, NotificationStatus.CANCELLED})
CLAIMABLE = WAITING | {DeliveryStatus.QUEUED}
WAITS: dict[Strategy, list[dict[Channel, float]]] = {
    Strategy.FIRST: [{}, {WEBSOCKET: 30.0}, {EMAIL: 600.0, SMS: 30.0}],
    Strategy.ALL: [{}],
    Strategy.ESCALATE: [dict.fromkeys(CHANNELS, 60.0)],
}
PLANS = st.sampled_from(Strategy).flatmap(
    lambda strategy: st.builds(
        Plan,
        strategy=st.just(strategy),
        retry_seconds=st.sampled_from([(), (1.0,), (2.0, 4.0, 8.0)]),
        on_ambiguous=st.sampled_from(OnAmbiguous),
        unless_delivered_within_seconds=st.sampled_from(WAITS[strategy]),
    )
)
ROUTES = st.builds(
    Routed,
    plan=PLANS,
    wanted=st.permutations(CHANNELS).map(tuple),
    obstacles=st.just({}) | st.dictionaries(st.sampled_from(CHANNELS), st.sampled_from(Why)),
    preferred=st.none() | st.sampled_from(CHANNELS),
    expires_after_seconds=st.sampled_from([None, None, 600.0, 200_000.0]),
    has_own_expiry=st.booleans(),
    left_alone=st.just({}) | st.dictionaries(st.sampled_from(CHANNELS), st.just(NOON + timedelta(hours=9))),
)


@dataclass(frozen=True)
class Fold:
    """One occurrence, and the saga before and after it."""

    before: Saga
    after: Saga
    occurrence: Occurrence
    story: Story

    def moved(self) -> list[tuple[Delivery, Delivery]]:
        """Pair the deliveries that were there before with what became of them."""
        pairs = [(delivery, self.after.delivery(delivery.channel)) for delivery in self.before.deliveries]
        return [(old, new) for old, new in pairs if new is not None and new != old]


def the_notification_moves_as_its_table_says(fold: Fold) -> None:
    old, new = fold.before.status, fold.after.status
    assert old is new or new in NOTIFICATION_TRANSITIONS[old], f"{old} -> {new}"


def the_deliveries_move_as_their_table_says(fold: Fold) -> None:
    for old, new in fold.moved():
        assert old.status is new.status or new.status in DELIVERY_TRANSITIONS[old.status], f"{old.status}->{new.status}"


def attempts_only_grow_within_an_epoch(fold: Fold) -> None:
    for old, new in fold.moved():
        is_again = new.status in WAITING and old.status is DeliveryStatus.SENDING
        assert (new.epoch, new.attempt) >= (old.epoch, old.attempt + is_again)


def a_wait_is_never_shorter_than_promised(fold: Fold) -> None:
    for old, new in fold.moved():
        if new.status not in WAITING or not isinstance(fold.occurrence, AttemptRecorded):
            continue
        if new.status is DeliveryStatus.DEFERRED:
            asked = fold.occurrence.retry_after_seconds
            promised = THROTTLE_SECONDS[min(old.deferrals, 4)] if asked is None else asked
        else:
            promised = fold.after.plan.retry_seconds[old.tries - 1]
        assert new.due_at is not None
        assert new.due_at >= fold.story.now + timedelta(seconds=promised)


def the_same_decision_is_made_twice(fold: Fold) -> None:
    again = decide(fold.before, fold.occurrence, fold.story.now)
    assert again.saga == fold.after


def a_copy_changes_nothing(fold: Fold) -> None:
    if not isinstance(fold.occurrence, Looked):
        copy = decide(fold.after, fold.occurrence, fold.story.now)
        assert not copy.changed
        assert copy.saga == fold.after


def what_changes_is_told_and_what_does_not_is_not(fold: Fold) -> None:
    assert bool(fold.story.told) == (fold.before != fold.after)


def with_all_no_channel_moves_for_another(fold: Fold) -> None:
    if fold.before.plan.strategy is not Strategy.ALL or fold.before.status is not NotificationStatus.QUEUED:
        return
    if isinstance(fold.occurrence, ReceiptRecorded) or (
        isinstance(fold.occurrence, AttemptRecorded) and fold.occurrence.reason != Why.SUPERSEDED
    ):
        assert {old.channel for old, _ in fold.moved()} <= {fold.occurrence.channel}


def what_is_called_back_asks_for_nothing_new(fold: Fold) -> None:
    if fold.before.cancelled_by is None:
        return
    asked = {(new.channel, new.attempt) for old, new in fold.moved() if new.status in CLAIMABLE}
    assert not asked, "no attempt is asked for after the cancellation"
    assert len(fold.before.deliveries) == len(fold.after.deliveries), "no channel is asked for after the cancellation"
    assert fold.after.status in CALLED_BACK, "it ends cancelled, and nowhere else"


LAWS: tuple[Callable[[Fold], None], ...] = (
    the_notification_moves_as_its_table_says,
    the_deliveries_move_as_their_table_says,
    attempts_only_grow_within_an_epoch,
    a_wait_is_never_shorter_than_promised,
    the_same_decision_is_made_twice,
    a_copy_changes_nothing,
    what_changes_is_told_and_what_does_not_is_not,
    with_all_no_channel_moves_for_another,
    what_is_called_back_asks_for_nothing_new,
)


class Life:
    """A notification to which anything happens that can happen. What cannot happen now does nothing."""

    def __init__(self, route: Routed, saga: Saga) -> None:
        self.story = Story(saga=saga)
        self.route = route
        self.calls: list[tuple[Delivery, UUID]] = []
        self.seen: list[Occurrence] = []
        self.bounced: set[tuple[Channel, int]] = set()

    def fold(self, occurrence: Occurrence) -> None:
        if isinstance(occurrence, AttemptRecorded) and (occurrence.channel, occurrence.epoch) in self.bounced:
            occurrence = replace(occurrence, undelivered="it bounced")  # as its row would be read now
        before = self.story.saga
        decision = self.story.happens(occurrence)
        self.seen.append(occurrence)
        for law in LAWS:
            law(Fold(before, decision.saga, occurrence, self.story))

    def routes(self) -> None:
        self.fold(self.route)

    def claims(self) -> None:
        for delivery in self.story.saga.current():
            is_in_time = (delivery.due_at or self.story.now) < self.story.saga.expires_at
            if delivery.status in CLAIMABLE and is_in_time and self.story.status is NotificationStatus.QUEUED:
                self._called(delivery.channel, self.story.claim(delivery.channel))

    def loses_its_lease(self) -> None:
        for delivery in self.story.saga.current():
            if delivery.status is DeliveryStatus.SENDING and delivery.lease_until:
                self.takes_over(delivery.channel)

    def takes_over(self, channel: Channel) -> None:
        abandoned = self.story.take_over(channel)
        taken = self.story.delivery(channel)
        if taken.lease_until and taken.token:
            self._called(channel, taken.token)
        self.fold(abandoned)

    def _called(self, channel: Channel, token: UUID) -> None:
        self.calls.append((self.story.delivery(channel), token))

    def answers(
        self, back: int, outcome: OutcomeKind, *, withheld: Why | None = None, retry_after_seconds: float | None = None
    ) -> None:
        """Let one of the last calls end so; it may have ended otherwise before."""
        if len(self.calls) > back:
            called, token = self.calls[-1 - back]
            attempt = self.story.record(token, outcome, called.channel)
            attempt = replace(attempt, epoch=called.epoch, attempt=called.attempt)
            if withheld:
                attempt = replace(attempt, withheld=True, reason=withheld.value)
            self.fold(replace(attempt, retry_after_seconds=retry_after_seconds))

    def attempts(self, outcome: OutcomeKind) -> None:
        calls = len(self.calls)
        self.claims()
        if len(self.calls) > calls:
            self.answers(0, outcome)

    def repeats(self, back: int) -> None:
        if len(self.seen) > back:
            self.fold(self.seen[-1 - back])

    def hears(self, channel: Channel, receipt: Receipt, epochs_ago: int) -> None:
        epoch = self.story.saga.epoch - epochs_ago
        if receipt is Receipt.FAILED:
            self.bounced.add((channel, epoch))
        self.fold(ReceiptRecorded(channel=channel, epoch=epoch, receipt=receipt))

    def looks(self, after_seconds: float) -> None:
        self.story.now += timedelta(seconds=after_seconds)
        self.fold(Looked())

    def is_compensated(self, *retracted: Channel) -> None:
        self.fold(Compensated(retracted=frozenset(retracted)))

    def is_cancelled(self) -> None:
        self.fold(Cancelled(by="somebody"))

    def is_replayed(self) -> None:
        self.fold(Replayed(by="ops", window_seconds=3_600))

    def is_erased(self) -> None:
        self.fold(Erased())
        assert self.story.status in TERMINAL

    def ends_in(self, weather: OutcomeKind) -> None:
        """Do what is owed from here on, with every call ending alike."""
        for _ in range(200):
            self.goes_on(weather)
            check(self.story)
            if is_final(self.story.saga):
                return
        raise AssertionError(f"it never ends: {self.story.saga}")

    def goes_on(self, weather: OutcomeKind) -> None:
        saga, now = self.story.saga, self.story.now
        items = due_now(owed(saga, now), now)
        for item in items:
            if isinstance(item, CommandOwed) and self.story.standing(item.channel) is DeliveryStatus.SENDING:
                self.takes_over(item.channel)
            elif isinstance(item, CommandOwed):
                self.attempts(weather)
            elif isinstance(item, ResultOwed):
                delivery = self.story.delivery(item.channel)
                self.fold(self.story.attempt(delivery, item.token, delivery.outcome or weather))
        self.routes()
        self.is_compensated()
        if self.story.saga == saga:
            self.story.now = max(now, next_look(saga, now) or now)
            self.fold(Looked())


def check(story: Story) -> None:
    """Check what holds at any moment."""
    saga, items, look = story.saga, owed(story.saga, story.now), next_look(story.saga, story.now)
    under_way = [delivery for delivery in saga.current() if delivery.status in UNDER_WAY]
    assert (look is None) == is_final(saga), "what has not ended is looked at again, and nothing else"
    assert not (items and is_final(saga)), "what has ended is owed nothing"
    assert not (under_way and saga.status in TERMINAL), "nobody is asked for anything after the end"
    assert len(under_way) <= 1 or saga.plan.strategy is Strategy.ALL, "one channel is asked at a time"
    assert all(delivery.tries <= saga.plan.max_tries for delivery in saga.current()), "tries are bounded"


Move = Callable[[Life], None]
OUTCOMES, RECEIPTS, BACK = tuple(OutcomeKind), tuple(Receipt), (0, 1, 2)
MOVES: tuple[Move, ...] = (
    *[Life.routes, Life.claims, Life.loses_its_lease, Life.is_compensated, Life.is_replayed] * 2,
    Life.is_cancelled,
    Life.is_erased,
    *[partial(Life.attempts, outcome=outcome) for outcome in OUTCOMES] * 3,
    *[partial(Life.answers, back=back, outcome=outcome) for back, outcome in product(BACK, OUTCOMES)],
    *[
        partial(Life.answers, back=0, outcome=OutcomeKind.PERMANENT, withheld=why)
        for why in (Why.OPTED_OUT, Why.SUPERSEDED)
    ],
    *[
        partial(Life.answers, back=0, outcome=OutcomeKind.THROTTLED, retry_after_seconds=seconds)
        for seconds in (0.0, 5.0, 90_000.0)
    ],
    *[partial(Life.hears, channel=c, receipt=r, epochs_ago=n) for c, r, n in product(CHANNELS, RECEIPTS, (0, 1))],
    *[partial(Life.looks, after_seconds=seconds) for seconds in (0.0, 3.0, 61.0, 600.0, 7_200.0, 90_000.0)],
    *[partial(Life.repeats, back=back) for back in BACK],
)
SAGAS = st.sampled_from([pending(), pending(status=NotificationStatus.SCHEDULED, send_at=NOON + timedelta(hours=1))])


@settings(max_examples=100, deadline=None)
@given(
    route=ROUTES,
    saga=SAGAS,
    moves=st.lists(st.sampled_from(MOVES), min_size=12, max_size=30),
    weather=st.sampled_from(OUTCOMES),
)
def test_whatever_happens_to_a_notification_it_keeps_every_promise_and_ends(
    route: Routed, saga: Saga, moves: list[Move], weather: OutcomeKind
) -> None:
    life = Life(route, saga)

    life.routes()
    for move in moves:
        move(life)
        check(life.story)

    life.ends_in(weather)
