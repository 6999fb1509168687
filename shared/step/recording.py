"""Outcomes on their way into the database, and into the figures."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import Iterable, Sequence

from prometheus_client import Counter, Histogram

from shared.coalesce import Coalescer
from shared.errors import Transient
from shared.metrics import Metrics
from shared.outcomes import Outcome
from shared.statuses import Channel, OutcomeKind
from shared.step.trying import Held
from shared.store.claims import Claim, Claims, Recorded

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0
LARGEST_SET = 400


class Recording:
    """Keep the outcomes of one channel by the set, with patience: only we know them."""

    def __init__(self, claims: Claims, channel: Channel, patience_seconds: float) -> None:
        self._claims = claims
        self._channel = channel
        self._patience_seconds = patience_seconds
        self._sets: Coalescer[Recorded, None] = Coalescer(self._keep, max_size=LARGEST_SET)

    async def keep(self, items: Sequence[Recorded], lease_ends_at: float) -> list[BaseException | None]:
        """Keep outcomes; return for each why it could not be kept.

        While the lease is ours, a database that is away is waited for, because whoever takes the lease over can only
        call the attempt ambiguous and send again.
        """
        clock, pause = asyncio.get_running_loop().time, FIRST_PAUSE_SECONDS
        until = min(lease_ends_at, clock() + self._patience_seconds)
        failures = await self._sets.submit_all(items)
        while any(isinstance(failure, Transient) for failure in failures) and clock() + pause <= until:
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            left = [place for place, failure in enumerate(failures) if isinstance(failure, Transient)]
            for place, failure in zip(left, await self._sets.submit_all([items[p] for p in left]), strict=True):
                failures[place] = failure
        return failures

    async def close(self) -> None:
        """Finish what is being kept."""
        await self._sets.close()

    async def _keep(self, items: Sequence[Recorded]) -> Sequence[None]:
        await self._claims.record(self._channel, items)
        return [None] * len(items)


_TELLING = {"takeover": (True, False), "lost": (True, False), "shelved": (True, True), "quiet": (False, True)}


class Counts:
    """The figures of one channel's attempts. To find a counter by its labels each time costs more than to count."""

    def __init__(self, metrics: Metrics, channel: Channel, providers: Iterable[str]) -> None:
        self._metrics = metrics
        self._channel = channel.value
        self._bound: dict[tuple[str, OutcomeKind], tuple[Counter, Histogram]] = {}
        self._accepted_to_sent = metrics.accepted_to_sent_seconds.labels(channel.value)
        self._ambiguous = metrics.ambiguous.labels(channel.value)
        self._left_alone = metrics.deferrals.labels(channel.value, "left_alone")
        self._expect(channel.value, providers)

    def _expect(self, channel: str, providers: Iterable[str]) -> None:
        """Let what may be counted be there, at zero: else the first of a kind is no increase."""
        for provider in providers:
            self._metrics.postponed.labels(channel, provider)
            for kind in OutcomeKind:
                self._metrics.attempts.labels(channel, provider, kind.value)
        self._metrics.retries.labels(channel)
        self._metrics.accepted_to_delivered_seconds.labels(channel)
        self._metrics.deferrals.labels(channel, "throttled")

    def note(self, ended: Sequence[tuple[Held, Outcome]], took_seconds: float) -> None:
        """Count attempts that ended together."""
        for (provider, kind), count in Tally((o.provider or "carillon", o.kind) for _, o in ended).items():
            self._counters(provider, kind)[0].inc(count)
            if kind is OutcomeKind.AMBIGUOUS:
                self._ambiguous.inc(count)
        for held, outcome in ended:
            self._counters(outcome.provider or "carillon", outcome.kind)[1].observe(took_seconds)
            if outcome.kind is OutcomeKind.ACCEPTED:
                self._accepted_to_sent.observe(held.claim.accepted_seconds_ago + took_seconds)

    def note_claims(self, claims: Sequence[Claim | Exception]) -> None:
        """Count what claims found out: leases that nobody came back from, and people who are left alone now."""
        for claim in claims:
            if isinstance(claim, Claim) and claim.word in _TELLING:
                is_lost, is_deferred = _TELLING[claim.word]
                self._ambiguous.inc(is_lost)
                self._left_alone.inc(is_deferred)

    def _counters(self, provider: str, kind: OutcomeKind) -> tuple[Counter, Histogram]:
        found = self._bound.get((provider, kind))
        if found is None:
            found = (
                self._metrics.attempts.labels(self._channel, provider, kind.value),
                self._metrics.call_seconds.labels(self._channel, provider),
            )
            self._bound[provider, kind] = found
        return found
