"""What a replay would do: decided by the same pure code as the real one, over what was read in one snapshot. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from functions.console.dry_run_documents import DryRunDocument, HoldDocument, StepDocument, Verdict
from shared.contact_policy import ContactPolicy
from shared.folding import begin, content, joining
from shared.provider_names import NamedLine
from shared.saga import Replayed, Saga, Strategy, Why, decide
from shared.saga.occurrences import QUIET_HOURS
from shared.statuses import Channel, NotificationStatus
from shared.step.lines import in_order
from shared.store.breakers import Breaker, BreakerState
from shared.store.dead_letters import REPLAY_WINDOW_SECONDS
from shared.store.devices import read_address
from shared.store.facts import Facts
from shared.store.snapshots import Taken
from shared.templates import TemplateVersion

BREAKER, QUIET, DIGEST = "breaker", "quiet hours", "digest"
NEXT = "the next usable channel of the workflow"
NOT_ASKED_YET = "asked if the ones before it do not do"
CLEAN = Breaker()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """One saga and what it would meet. `tried` says which provider was asked last, `closes_at` when its digest goes."""

    letter_id: UUID
    saga: Saga
    facts: Facts
    addresses: Mapping[Channel, str] = field(default_factory=dict, repr=False)
    tried: Mapping[Channel, str] = field(default_factory=dict)
    is_superseded: bool = False
    closes_at: datetime | None = None
    stored: TemplateVersion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What holds for all sagas of a tenant at this moment."""

    now: datetime
    served: frozenset[Channel]
    lines: Mapping[Channel, Sequence[NamedLine]]
    breakers: Mapping[str, Breaker]
    policy: ContactPolicy
    taken: Taken


def started_over(saga: Saga, now: datetime) -> Saga | None:
    """Start a saga over in thought; None when it cannot be."""
    decision = decide(saga, Replayed(by="nobody", window_seconds=REPLAY_WINDOW_SECONDS), now)
    return decision.saga if decision.changed else None


def routed(fresh: Saga, facts: Facts, circumstances: Circumstances) -> Saga:
    """Route a saga that was started over."""
    return decide(fresh, begin(fresh, facts, circumstances.served), circumstances.now).saga


def nothing(letter_id: UUID, notification_id: UUID | None, why: str) -> DryRunDocument:
    """Tell of a replay that would do nothing."""
    return DryRunDocument(id=letter_id, notification_id=notification_id, verdict="nothing", why=why, holds=[], steps=[])


def foresee(prospect: Prospect, circumstances: Circumstances) -> DryRunDocument:
    """Tell what a replay would do."""
    saga, facts = prospect.saga, prospect.facts
    fresh = started_over(saga, circumstances.now)
    if fresh is None:
        return nothing(prospect.letter_id, saga.id, f"its notification is {saga.status}, and nothing starts over")
    wanted = joining(fresh, facts, circumstances.now)
    if wanted is not None:
        hold = HoldDocument(
            rule=DIGEST, why="it is collected into a digest", until=prospect.closes_at or wanted.closes_at
        )
        return _told(prospect, "hold", hold.why, [hold], [])
    after = routed(fresh, facts, circumstances)
    passed = [_passed(prospect, Channel(channel), why) for channel, why in after.plan.passed.items()]
    if after.status is not NotificationStatus.QUEUED:
        verdict: Verdict = "skip" if after.status is NotificationStatus.SKIPPED else "nothing"
        return _told(prospect, verdict, after.reason, [], passed)
    return _Turns(prospect, circumstances, after).told(passed)


class _Turns:
    """The channels of a saga that is routed, in their turns, as the claims would find them."""

    def __init__(self, prospect: Prospect, circumstances: Circumstances, after: Saga) -> None:
        self._prospect = prospect
        self._circumstances = circumstances
        self._after = after
        self._has_broken = False

    def told(self, passed: list[StepDocument]) -> DryRunDocument:
        """Take every channel in turn, and say what comes of all.

        One that will be passed over is waited for all the same, unless all are asked at once: nobody finds out before.
        """
        are_all_asked = self._after.plan.strategy is Strategy.ALL
        steps: list[StepDocument] = []
        holds: list[HoldDocument] = []
        waits: list[bool] = []
        for channel in self._after.plan.steps:
            is_turn = are_all_asked or not waits
            steps.append(self._step(channel, is_turn=is_turn))
            is_first = steps[-1].verdict == "first"
            found = self._holds_of(channel) if is_turn and (is_first or not are_all_asked) else []
            holds += found
            if is_first:
                waits.append(bool(found if are_all_asked else holds))
        verdict, why = self._verdict(waits, holds, steps)
        return _told(self._prospect, verdict, why, holds if waits else [], [*steps, *passed])

    def _verdict(
        self, waits: Sequence[bool], holds: Sequence[HoldDocument], steps: Sequence[StepDocument]
    ) -> tuple[Verdict, str]:
        if waits and all(waits):
            return "hold", "; ".join(hold.why for hold in holds)
        if waits:
            return "send", next(step.why for step in steps if step.verdict == "first")
        return ("nothing" if self._has_broken else "skip"), "; ".join(dict.fromkeys(step.why for step in steps))

    def _step(self, channel: Channel, *, is_turn: bool) -> StepDocument:
        prospect = self._prospect
        words = content(self._after, channel, prospect.facts, prospect.stored)
        obstacle = self._withheld(channel)
        broken = None if obstacle else words.get("unrenderable")
        self._has_broken |= broken is not None
        if obstacle or broken:
            return _passed(prospect, channel, obstacle or str(broken))
        line, breaker = self._line(channel)
        delivery = next((one for one in self._after.current() if one.channel is channel), None)
        return StepDocument(
            channel=channel,
            verdict="first" if is_turn else "fallback",
            why=(delivery.reason if delivery else NEXT) if is_turn else NOT_ASKED_YET,
            to=_address(prospect, channel),
            provider=line,
            provider_state=breaker.state if line else None,
            subject=words["subject"],
            text=words["text"],
            html=words.get("options", {}).get("html"),
        )

    def _withheld(self, channel: Channel) -> str | None:
        """Say why a claim would withhold it, beyond what routing has asked already."""
        policy, category = self._circumstances.policy, self._after.plan.category
        taken = self._circumstances.taken.get((self._prospect.facts.user_id, channel), ())
        if category not in policy.critical and policy.is_full(category, channel, taken):
            return Why.CAPPED.value
        return Why.SUPERSEDED.value if self._prospect.is_superseded else None

    def _holds_of(self, channel: Channel) -> list[HoldDocument]:
        """Say what an attempt on a channel would wait for."""
        holds, until = [], self._prospect.facts.left_alone.get(channel)
        if until is not None:
            holds.append(HoldDocument(rule=QUIET, why=f"{channel}: {QUIET_HOURS}", until=until))
        line, breaker = self._line(channel)
        if line and not _lets_through(breaker):
            ends = self._circumstances.now + timedelta(seconds=breaker.wait_seconds)
            holds.append(HoldDocument(rule=BREAKER, why=f"{channel}: the breaker of {line} is open", until=ends))
        return holds

    def _line(self, channel: Channel) -> tuple[str | None, Breaker]:
        """Choose the provider: the first that is let through, else the one that may be tried first."""
        tried = self._prospect.tried.get(channel)
        lines = self._circumstances.lines.get(channel) or ([NamedLine(tried)] if tried else [])
        found = [
            (line.name, self._circumstances.breakers.get(line.name, CLEAN)) for line in in_order(self._after.id, lines)
        ]
        if not found:
            return None, CLEAN
        through = [pair for pair in found if _lets_through(pair[1])]
        return through[0] if through else min(found, key=lambda pair: pair[1].wait_seconds)


def _lets_through(breaker: Breaker) -> bool:
    """Tell whether a call would be made: at once, or as the probe."""
    return breaker.state is BreakerState.CLOSED or breaker.wait_seconds <= 0


def _passed(prospect: Prospect, channel: Channel, why: str) -> StepDocument:
    return StepDocument(
        channel=channel,
        verdict="passed",
        why=why,
        to=_address(prospect, channel),
        provider=None,
        provider_state=None,
        subject=None,
        text=None,
        html=None,
    )


def _address(prospect: Prospect, channel: Channel) -> str | None:
    text = prospect.addresses.get(channel)
    if text is None or channel is not Channel.PUSH:
        return text
    count = len(read_address(text))
    return f"{count} device{'' if count == 1 else 's'}"


def _told(
    prospect: Prospect, verdict: Verdict, why: str, holds: list[HoldDocument], steps: list[StepDocument]
) -> DryRunDocument:
    return DryRunDocument(
        id=prospect.letter_id, notification_id=prospect.saga.id, verdict=verdict, why=why, holds=holds, steps=steps
    )
