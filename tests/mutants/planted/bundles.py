"""Bugs in what travels together: several events in one message, and what comes of it at both ends."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BUNDLING = "tests/unit/test_bundling.py"
SETS = "tests/integration/test_functions_over_http.py"
SOURCES = "tests/unit/test_sources.py"

PLANTED = (
    Mutant(
        name="bundle-done-with-its-first",
        breaks="A message that carries several events is done when all of them are.",
        file="shared/step/handed.py",
        text="            if not self._missing[parcel]:",
        instead="            if True:",
        looks_at=(BUNDLING,),
    ),
    Mutant(
        name="bundle-done-whatever-its-members-say",
        breaks="A message comes again when one of its events must.",
        file="shared/step/handed.py",
        text="            if status != DONE:",
        instead="            if False:",
        looks_at=(BUNDLING, SETS),
    ),
    Mutant(
        name="refusal-of-a-bundle-forgotten",
        breaks="What the broker did not take is not taken for published, whatever it travelled with.",
        file="shared/broker/bundling.py",
        text="        if outcome is not None:",
        instead="        if False:",
        looks_at=(BUNDLING,),
    ),
    Mutant(
        name="what-waits-is-bundled",
        breaks="What is due later comes at its own moment.",
        file="shared/broker/bundling.py",
        text="may_share = not message.delay_seconds and message.queue in _BUNDLED",
        instead="may_share = message.queue in _BUNDLED",
        looks_at=(BUNDLING,),
    ),
    Mutant(
        name="bundle-without-end",
        breaks="A message has a bound.",
        file="shared/broker/bundling.py",
        text="if bundle is None or len(bundle.members) == MOST_MEMBERS:",
        instead="if bundle is None:",
        looks_at=(BUNDLING,),
    ),
    Mutant(
        name="bundle-behind-a-sink",
        breaks="Behind a sink each event is routed by what it says itself.",
        file="shared/broker/bundling.py",
        text="if len(messages) < 2 or not broker.carries_bundles:",
        instead="if len(messages) < 2:",
        looks_at=(BUNDLING,),
    ),
    Mutant(
        name="bad-member-dropped",
        breaks="What is no event is kept with its bytes, also where it came among others.",
        file="shared/events.py",
        text="return MixedBundle([read_one(json.dumps(member).encode()) for member in members])",
        instead="found = [read_one(json.dumps(member).encode()) for member in members]\n"
        "    return MixedBundle([one for one in found if isinstance(one, Event)])",
        looks_at=(BUNDLING, SETS),
    ),
    Mutant(
        name="bundle-counted-as-one",
        breaks="No more events are handed over at once than a step works on.",
        file="infrastructure/local/sources.py",
        text="return len(members) or 1 if isinstance(members, list) else 1",
        instead="return 1",
        looks_at=(SOURCES,),
    ),
    Mutant(
        name="everything-waits-for-company",
        breaks="What somebody waits for is published at once.",
        file="shared/broker/outgoing.py",
        text="    return message.queue == RESULTS and not message.delay_seconds",
        instead="    return not message.delay_seconds",
        looks_at=("tests/unit/test_outgoing.py",),
    ),
    Mutant(
        name="results-for-a-sink-wait",
        breaks="Where nothing can travel together nothing waits for company.",
        file="shared/broker/outgoing.py",
        text="if self._broker.carries_bundles and len(messages)",
        instead="if len(messages)",
        looks_at=("tests/unit/test_outgoing.py",),
    ),
    Mutant(
        name="refusal-forgotten-on-the-way-out",
        breaks="A result that the broker did not take is not taken for published.",
        file="shared/broker/outgoing.py",
        text="    return said if said is None or isinstance(said, PublishRefused) else PublishRefused(str(said))",
        instead="    return None",
        looks_at=("tests/unit/test_outgoing.py",),
    ),
)
