"""What the model is verified for: the promises, the worlds they must hold in, and the guards they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PROMISES = {
    "once": "of all acceptances by the provider at most one is without an ambiguous record of its own",
    "invented": "nothing is recorded as ambiguous unless its lease ran out or its call had no answer",
    "sent": "sent implies accepted",
    "table": "a status, also a terminal one, is left only as the tables allow",
    "stale": "a command or a failure of another attempt, epoch or token moves nothing",
    "bounds": "tries and takeovers stay within their bounds",
    "hold": "where the workflow says hold, the provider takes it once at most",
    "ends": "every accepted notification reaches a terminal status",
    "late": "a success on record whose lease was lost is folded in the end",
}
AT_EVERY_STEP = ("once", "invented", "sent", "table", "stale", "bounds")

MISSING: tuple[str, ...] = ()
"""Guards that the model has and the code has not: the worlds are verified without them, as the code is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What may happen. `fair` names the property over whole runs, under weak fairness; else every step is checked."""

    name: str
    options: tuple[str, ...] = ()
    promises: tuple[str, ...] = AT_EVERY_STEP
    fair: str | None = None

    def flags(self, missing: Sequence[str] = ()) -> list[str]:
        """Write the options for Spin."""
        return [*[f"-D{option}" for option in self.options], *[f"-D{guard}=0" for guard in missing]]


def lossy(*options: str, name: str, promises: str = "ends") -> World:
    """Describe a world whose broker loses, repeats and reorders for a while."""
    return World(name=name, options=("LOSSY", *options), promises=(promises,), fair=promises)


def outbox(*options: str, name: str, promises: str = "ends") -> World:
    """Describe a world without a sweep, whose broker loses nothing."""
    return World(name=name, options=("OUTBOX", *options), promises=(promises,), fair=promises)


ANY_ORDER = World(name="any order")
LOSSY = lossy(name="lossy")
LOSSY_LATE = lossy("LATE", name="lossy", promises="late")
OUTBOX = outbox(name="no loss, no sweep")
HOLD = World(name="any order, hold", options=("HOLD=1",), promises=(*AT_EVERY_STEP, "hold"))
REPLAYED = World(name="any order, expiry, one replay", options=("EPOCHS=2", "EXPIRY"))

WORLDS = (
    ANY_ORDER,
    HOLD,
    World(name="any order, expiry, 4 tries, 3 takeovers", options=("MAX_TRIES=4", "MAX_TAKEOVERS=3", "EXPIRY")),
    REPLAYED,
    World(name="any order, publishing a step of its own", options=("STEPWISE",)),
    LOSSY,
    lossy("HOLD=1", name="lossy, hold"),
    OUTBOX,
    LOSSY_LATE,
    outbox("LATE", name="no loss, no sweep", promises="late"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One line of defence: what breaks without it, in which world."""

    name: str
    breaks: str
    world: World = ANY_ORDER
    options: tuple[str, ...] = ()

    def flags(self) -> list[str]:
        """Write the options for Spin, with this guard taken out."""
        return [*self.world.flags(), *[f"-D{option}" for option in self.options], f"-D{self.name}=0"]


GUARDS = (
    Guard(name="ATTEMPT_ROW", breaks="sent"),
    Guard(name="TOKEN_UNDER_WAY", breaks="once", options=("MAX_TRIES=3", "MAX_TAKEOVERS=3", "STALE_MATTERS=0")),
    Guard(name="LEASE", breaks="invented"),
    Guard(name="ATTEMPT_AND_EPOCH", breaks="stale"),
    Guard(name="RECORDED_FIRST", breaks="once"),
    Guard(name="AMBIGUOUS_AT_TAKEOVER", breaks="once"),
    Guard(name="AMBIGUOUS_AT_GIVING_UP", breaks="once", world=REPLAYED),
    Guard(name="HOLD_AT_TAKEOVER", breaks="hold", world=HOLD),
    Guard(name="TRIES_BOUND", breaks="bounds", options=("MAX_TAKEOVERS=3",)),
    Guard(name="TAKEOVER_BOUND", breaks="bounds", options=("MAX_TRIES=3",)),
    Guard(name="CLAIM_LOCK", breaks="once"),
    Guard(name="SAGA_LOCK", breaks="once"),
    Guard(name="GIVE_BACK_TOKEN", breaks="once"),
    Guard(name="ROUTED_ONCE", breaks="table"),
    Guard(name="COMPENSATED_ONCE", breaks="table"),
    Guard(name="RECORD_TOKEN", breaks="ends", world=LOSSY),
    Guard(name="OWED_AT_LEASE_END", breaks="ends", world=LOSSY),
    Guard(name="EVENT_SWEPT", breaks="ends", world=LOSSY),
    Guard(name="COMMAND_SWEPT", breaks="ends", world=LOSSY),
    Guard(name="RESULT_SWEPT", breaks="ends", world=LOSSY),
    Guard(name="COMPENSATION_SWEPT", breaks="ends", world=LOSSY),
    Guard(name="LATE_SUCCESS_SWEPT", breaks="late", world=LOSSY_LATE),
    Guard(name="COMMIT_BEFORE_PUBLISH", breaks="ends", world=OUTBOX),
    Guard(name="RECORD_BEFORE_RESULT", breaks="ends", world=OUTBOX),
    Guard(name="PUBLISH_BEFORE_ACKNOWLEDGE", breaks="ends", world=OUTBOX),
    Guard(name="SAID_AGAIN", breaks="ends", world=OUTBOX),
)
