"""The planted bugs, room by room."""

from __future__ import annotations

from tests.mutants.mutant import Mutant
from tests.mutants.planted import broker, claims, email, intake, sagas, steps, store

PLANTED: tuple[Mutant, ...] = (
    *intake.PLANTED,
    *steps.PLANTED,
    *sagas.PLANTED,
    *claims.PLANTED,
    *store.PLANTED,
    *broker.PLANTED,
    *email.PLANTED,
)
