"""The planted bugs, room by room."""

from __future__ import annotations

from tests.mutants.mutant import Mutant
from tests.mutants.planted import (
    broker,
    callbacks,
    claims,
    command_line,
    compensation,
    console,
    digests,
    email,
    face,
    intake,
    keys,
    people,
    posting,
    providers,
    sagas,
    sink,
    status,
    steps,
    store,
    strategies,
    templates,
    watching,
)

PLANTED: tuple[Mutant, ...] = (
    *intake.PLANTED,
    *steps.PLANTED,
    *sagas.PLANTED,
    *strategies.PLANTED,
    *claims.PLANTED,
    *store.PLANTED,
    *broker.PLANTED,
    *sink.PLANTED,
    *email.PLANTED,
    *providers.PLANTED,
    *callbacks.PLANTED,
    *compensation.PLANTED,
    *status.PLANTED,
    *keys.PLANTED,
    *posting.PLANTED,
    *people.PLANTED,
    *templates.PLANTED,
    *digests.PLANTED,
    *face.PLANTED,
    *console.PLANTED,
    *command_line.PLANTED,
    *watching.PLANTED,
)
