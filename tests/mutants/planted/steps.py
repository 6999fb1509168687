"""Bugs in the frame of the steps: commit, publish, acknowledge; claim, call, record."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FAILURE = "tests/integration/test_saga_under_failure.py"
STORY = "tests/integration/test_saga_end_to_end.py"
COPIES = "tests/integration/test_saga_copies.py"
SETS = "tests/integration/test_functions_over_http.py"

PLANTED = (
    Mutant(
        name="publish-before-commit",
        breaks="What could not be committed is not announced.",
        file="functions/orchestrate/saga_set.py",
        text="    await settle(sagas, list(changes.values()), known.facts)",
        instead="    early = Folded(sagas=sagas, changes=[], found=found)\n"
        "    await resources.publish([m for d in _owed(early) for m in d.messages])\n"
        "    await settle(sagas, list(changes.values()), known.facts)",
        looks_at=(FAILURE,),
    ),
    Mutant(
        name="acknowledge-before-publish",
        breaks="The message that is not acknowledged is the outbox: it goes only when what follows is confirmed.",
        file="shared/step/frame.py",
        text="        if owners:",
        instead="        handed.answer([(place, DONE) for place, _ in ended if place not in failures])\n"
        "        if owners:",
        looks_at=(FAILURE,),
    ),
    Mutant(
        name="acknowledge-whatever-the-confirm-says",
        breaks="Nothing is acknowledged whose messages the broker did not take.",
        file="shared/step/frame.py",
        text="if refusal is not None:",
        instead="if False:",
        looks_at=(FAILURE,),
    ),
    Mutant(
        name="one-refusal-for-the-whole-set",
        breaks="One event never changes another's fate.",
        file="shared/step/frame.py",
        text="answers = [(place, DONE) for place, _ in ended if place not in failures]",
        instead="answers = [(place, DONE) for place, _ in ended if not failures]",
        looks_at=(SETS, FAILURE),
    ),
    Mutant(
        name="answers-wait-for-the-slowest",
        breaks="A slow event holds up the answer to no other one of its set.",
        file="shared/step/handed.py",
        text="if self._told and ended:",
        instead="if False:",
        looks_at=("tests/contract/test_answers_as_they_end.py", "tests/unit/test_targets.py"),
    ),
    Mutant(
        name="batch-answered-by-its-first",
        breaks="Each event of a batch has its own answer.",
        file="shared/serve.py",
        text="given.extend(answers)",
        instead="given.extend((place, answers[0][1]) for place, _ in answers)",
        looks_at=(SETS,),
    ),
    Mutant(
        name="poison-acknowledged-without-burial",
        breaks="What fails ten times unexpectedly is acknowledged only as a dead letter.",
        file="shared/step/frame.py",
        text='return await self._keep(item, f"{type(failure).__name__}, {POISON_LIMIT} times")',
        instead="return DONE",
        looks_at=(FAILURE,),
    ),
    Mutant(
        name="garbage-acknowledged-without-burial",
        breaks="Bytes that are no event are kept as a dead letter before they are acknowledged.",
        file="shared/step/frame.py",
        text="handed.answer([(place, await self._keep(item, _reason(item)))])",
        instead="handed.answer([(place, DONE)])",
        looks_at=(SETS,),
    ),
    Mutant(
        name="finished-work-says-nothing",
        breaks="A step that meets a copy of finished work publishes again what is owed.",
        file="shared/folding.py",
        text="if not change.entries or change.has_copy or change.after.status is not change.before.status:",
        instead="if not change.entries:\n        return []\n    if change.after.status is not change.before.status:",
        looks_at=(FAILURE,),
    ),
    Mutant(
        name="recorded-outcome-says-nothing",
        breaks="A command that meets a recorded outcome announces it again.",
        file="shared/step/trying.py",
        text='return self.result(claim.token, succeeded=claim.outcome == "accepted")',
        instead="return Done()",
        looks_at=(FAILURE, STORY),
    ),
    Mutant(
        name="message-believed",
        breaks="What an event says is never believed: it points at a row.",
        file="functions/orchestrate/saga_set.py",
        text="        if attempt is None:",
        instead="        if attempt is None and event.data.channel and event.data.token:\n"
        "            attempt = AttemptRecorded(\n"
        "                channel=event.data.channel, epoch=event.data.epoch, attempt=event.data.attempt,\n"
        '                token=event.data.token, outcome=__import__("shared.statuses").statuses.OutcomeKind.ACCEPTED)\n'
        "        if attempt is None:",
        looks_at=(COPIES,),
    ),
    Mutant(
        name="no-lease-check-before-the-call",
        breaks="A call that could outlast its lease is not begun.",
        file="shared/step/attempting.py",
        text="if started > helds[0].lease_ends_at - provider.deadline_seconds:",
        instead="if False:",
        looks_at=(STORY,),
    ),
    Mutant(
        name="no-lease-check-at-its-turn",
        breaks="What was not begun when a process was stopped is not begun when it goes on.",
        file="shared/step/calling.py",
        text="if asyncio.get_running_loop().time() > begin_until:",
        instead="if False:",
        looks_at=("tests/unit/test_calling.py",),
    ),
    Mutant(
        name="wish-ignored-before-the-call",
        breaks="Who opts out between acceptance and sending hears nothing.",
        file="shared/step/trying.py",
        text='return self.claim.withheld or self.claim.content.get("unrenderable")',
        instead='return self.claim.content.get("unrenderable")',
        looks_at=(STORY,),
    ),
    Mutant(
        name="outcome-not-waited-for",
        breaks="An outcome that is known waits for the database, while its lease is its own.",
        file="shared/step/recording.py",
        text="until = min(lease_ends_at, clock() + self._patience_seconds)",
        instead="until = clock()",
        looks_at=("tests/integration/test_database_away.py",),
    ),
    Mutant(
        name="outcome-waited-for-beyond-its-lease",
        breaks="An outcome is waited for no longer than its lease lasts.",
        file="shared/step/recording.py",
        text="until = min(lease_ends_at, clock() + self._patience_seconds)",
        instead="until = clock() + self._patience_seconds",
        looks_at=("tests/integration/test_database_away.py",),
    ),
    Mutant(
        name="retry-forgets-the-epoch",
        breaks="A message names the epoch that it belongs to: a command of a replay is not taken for one of before.",
        file="shared/outbox.py",
        text='"notification_id":"{subject.id}","epoch":{subject.epoch}{more}\'',
        instead='"notification_id":"{subject.id}","epoch":0{more}\'',
        looks_at=(STORY,),
    ),
    Mutant(
        name="delay-queue-ignored",
        breaks="What is due later goes into a delay queue, not back to work at once.",
        file="shared/outbox.py",
        text="delay = delay_for(seconds)",
        instead="delay = 0",
        looks_at=("tests/unit/test_owed.py",),
    ),
    Mutant(
        name="sweep-decides-from-the-row-twice",
        breaks="The sweep folds one occurrence after the other; the second does not undo the first.",
        file="functions/sweep/looking.py",
        text="change.take(decide(change.after, occurrence, sagas.now))",
        instead="change.take(decide(change.before, occurrence, sagas.now))",
        looks_at=(STORY,),
    ),
    Mutant(
        name="sweep-forgets-the-receipts",
        breaks="An acknowledgement counts even if its event is lost.",
        file="functions/sweep/looking.py",
        text="for occurrence in (*receipts.get(change.before.id, ()), Looked()):",
        instead="for occurrence in (Looked(),):",
        looks_at=(STORY,),
    ),
    Mutant(
        name="no-dead-letter",
        breaks="What failed is a dead letter, in the transaction that ends it.",
        file="functions/compensate/compensating.py",
        text='await sagas.bury("notification", SOURCE, failures)',
        instead='await sagas.bury("notification", SOURCE, [])',
        looks_at=("tests/integration/test_dead_letters.py",),
    ),
    Mutant(
        name="no-dead-letter-of-what-nobody-knows",
        breaks="What ends unknown is a dead letter too: a person decides.",
        file="shared/folding.py",
        text='await sagas.bury("unknown", "orchestrate", [c.after for c in changes if _ended_unknown(c)])',
        instead='await sagas.bury("unknown", "orchestrate", [])',
        looks_at=(STORY,),
    ),
)
