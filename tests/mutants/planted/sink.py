"""Bugs behind a sink, where nothing holds a message back and nobody tells everybody."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

SINK = "tests/contract/test_sink.py"
BEHIND = "tests/integration/test_behind_a_sink.py"
LOOKS = "tests/contract/test_store_looks.py"
HINTS = "tests/contract/test_hints.py"
SEEDS = "tests/simulation/test_sink_seeds.py"

PLANTED = (
    Mutant(
        name="any-answer-of-a-sink-taken-for-a-confirm",
        breaks="What a sink answers with anything but a success is refused.",
        file="shared/broker/sink_line.py",
        text="200 <= answer.status < 300",
        instead="200 <= answer.status < 500",
        looks_at=(SINK,),
    ),
    Mutant(
        name="closed-connection-costs-a-message",
        breaks="A kept connection that the other end closed meanwhile is no refusal.",
        file="shared/broker/sink_line.py",
        text="answer.phase is Phase.SENT and answer.word == Fault.LOST",
        instead="False",
        looks_at=(SINK,),
    ),
    Mutant(
        name="wait-behind-a-sink-forgotten",
        breaks="What no queue holds back is looked at when it has waited.",
        file="shared/broker/sink.py",
        text="                await self._look_by(waits)\n",
        instead="                pass\n",
        looks_at=(SINK, SEEDS),
    ),
    Mutant(
        name="grace-where-no-queue-holds-back",
        breaks="Where the sweep alone brings what waits, it brings it when it is due.",
        file="shared/runtime.py",
        text="GRACE if broker.holds_back else NO_GRACE",
        instead="GRACE",
        looks_at=(BEHIND,),
    ),
    Mutant(
        name="grace-forgotten-by-a-set-without-locks",
        breaks="What is folded without locks is looked at when it is due, too.",
        file="shared/store/unlocked.py",
        text="yield UnlockedSet(connection, self._known_versions, self._grace)",
        instead="yield UnlockedSet(connection, self._known_versions)",
        looks_at=(LOOKS,),
    ),
    Mutant(
        name="look-put-off-by-a-wait",
        breaks="A wait brings a look forward and never puts it off.",
        file="shared/store/looks.py",
        text="    WHERE n.next_look_at > clock_timestamp() + w.seconds * interval '1 second'\n",
        instead="    WHERE n.next_look_at IS NOT NULL\n",
        looks_at=(LOOKS,),
    ),
    Mutant(
        name="what-came-back-forgotten",
        breaks="What a step could not take is published again soon.",
        file="functions/sweep/looking.py",
        text="    await bring_back(resources, returned)\n",
        instead="",
        looks_at=(BEHIND,),
    ),
    Mutant(
        name="trace-lost-with-its-attribute",
        breaks="A trace goes on where its attribute does not arrive.",
        file="shared/events.py",
        text='AliasChoices("traceparent", AliasPath("data", "traceparent"))',
        instead='AliasChoices("traceparent")',
        looks_at=("tests/unit/test_events.py",),
    ),
    Mutant(
        name="deaf-after-a-lost-connection",
        breaks="Who listens for hints hears them again after its connection was cut.",
        file="shared/store/hints.py",
        text="            if self._hears.is_set():\n",
        instead="            if self._hears.is_set():\n                return\n            if self._hears.is_set():\n",
        looks_at=(HINTS,),
    ),
)
