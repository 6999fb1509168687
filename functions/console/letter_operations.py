"""What is offered about dead letters."""

from __future__ import annotations

from functions.console.dry_run_documents import DryRunDocument, DryRuns, DryRunsAsked
from functions.console.letter_documents import (
    MOST_LISTED,
    USUALLY_LISTED,
    DeadLetterDocument,
    DeadLetters,
    DiscardAsked,
    Discards,
    DiscardsAsked,
    Replay,
    ReplayAsked,
    Replays,
)
from shared.access import Access
from shared.operations import CURSOR, JSON, Answer, Operation, Parameter
from shared.queries import PRINTABLE
from shared.statuses import Channel

LETTERS = "/dead-letters"
EXAMPLE_ID = "6f0f6e4a-3c1b-5d0c-9d53-0c8f4d1f7a11"
_TEXT = {"type": "string", "minLength": 1, "maxLength": 256, "pattern": PRINTABLE}
_TIME = {"type": "string", "format": "date-time"}

LETTER_ID = Parameter(
    name="id", about="The dead letter's id.", schema={"type": "string", "format": "uuid"}, place="path"
)
FILTERS = (
    Parameter(
        name="kind",
        about="Those of this kind.",
        schema={"enum": ["notification", "unknown", "garbage", "internal"]},
    ),
    Parameter(
        name="channel", about="Whose notification was asked for on it.", schema={"enum": [c.value for c in Channel]}
    ),
    Parameter(name="event_type", about="Whose notification is of this event type.", schema=_TEXT),
    Parameter(name="user_id", about="Whose notification is for this user.", schema=_TEXT),
    Parameter(name="reason", about="Whose reason holds this, in whatever case.", schema=_TEXT),
    Parameter(name="created_after", about="Those kept at this time or later.", schema=_TIME),
    Parameter(name="created_before", about="Those kept before this time.", schema=_TIME),
)

LIST_DEAD_LETTERS = Operation(
    name="list_dead_letters",
    method="GET",
    path=LETTERS,
    access=Access.READ,
    summary="List dead letters, newest first.",
    tag="dead letters",
    parameters=(
        Parameter(
            name="status",
            about="Those with this status; open ones if it is left out.",
            schema={"enum": ["open", "replayed", "resolved", "discarded"]},
        ),
        *FILTERS,
        Parameter(
            name="limit",
            about="At most so many. A page can be shorter and still have a next one.",
            schema={"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": USUALLY_LISTED},
        ),
        CURSOR,
    ),
    gives={200: Answer(about="A page.", model=DeadLetters)},
    refuses=frozenset({422}),
)
GET_DEAD_LETTER = Operation(
    name="get_dead_letter",
    method="GET",
    path=f"{LETTERS}/{{id}}",
    access=Access.READ,
    summary="Show one dead letter.",
    tag="dead letters",
    parameters=(LETTER_ID,),
    gives={200: Answer(about="The dead letter.", model=DeadLetterDocument)},
    refuses=frozenset({404}),
)
DRY_RUN_MANY = Operation(
    name="dry_run_dead_letters",
    method="POST",
    path=f"{LETTERS}/dry-run",
    access=Access.READ,
    summary="Tell what replays would do now, and do nothing.",
    tag="dead letters",
    takes={JSON: DryRunsAsked},
    gives={200: Answer(about="What each would do.", model=DryRuns)},
    refuses=frozenset({400, 422}),
    example={"ids": [EXAMPLE_ID]},
)
DRY_RUN = Operation(
    name="dry_run_dead_letter",
    method="POST",
    path=f"{LETTERS}/{{id}}/dry-run",
    access=Access.READ,
    summary="Tell what a replay would do now: which channel, to which address, in which words; and do nothing.",
    tag="dead letters",
    parameters=(LETTER_ID,),
    gives={200: Answer(about="What it would do.", model=DryRunDocument)},
    refuses=frozenset({404}),
)
REPLAY_MANY = Operation(
    name="replay_dead_letters",
    method="POST",
    path=f"{LETTERS}/replay",
    access=Access.MANAGE,
    summary="Start many sagas over, each answered for itself. Twice is once.",
    tag="dead letters",
    about="Either `ids`, or a `filter`: then the oldest that match, at most `limit`.",
    takes={JSON: ReplayAsked},
    gives={202: Answer(about="What became of each.", model=Replays)},
    refuses=frozenset({400, 422}),
    example={"filter": {"reason": "the server is busy"}, "limit": 100},
)
REPLAY = Operation(
    name="replay_dead_letter",
    method="POST",
    path=f"{LETTERS}/{{id}}/replay",
    access=Access.MANAGE,
    summary="Start its saga over, as the next epoch. Twice clicked is once done.",
    tag="dead letters",
    parameters=(LETTER_ID,),
    gives={202: Answer(about="The saga starts over.", model=Replay)},
    refuses=frozenset({404, 409}),
)
DISCARD_MANY = Operation(
    name="discard_dead_letters",
    method="POST",
    path=f"{LETTERS}/discard",
    access=Access.MANAGE,
    summary="Settle many dead letters with a reason, each answered for itself, and start nothing over.",
    tag="dead letters",
    takes={JSON: DiscardsAsked},
    gives={200: Answer(about="What became of each.", model=Discards)},
    refuses=frozenset({400, 422}),
    example={"ids": [EXAMPLE_ID], "reason": "The order was called off."},
)
DISCARD = Operation(
    name="discard_dead_letter",
    method="POST",
    path=f"{LETTERS}/{{id}}/discard",
    access=Access.MANAGE,
    summary="Settle it with a reason, and start nothing over.",
    tag="dead letters",
    parameters=(LETTER_ID,),
    takes={JSON: DiscardAsked},
    gives={200: Answer(about="The dead letter as it is now.", model=DeadLetterDocument)},
    refuses=frozenset({400, 404, 409, 422}),
    example={"reason": "The order was called off."},
)
LETTER_OPERATIONS = (
    *(LIST_DEAD_LETTERS, GET_DEAD_LETTER, DRY_RUN_MANY, REPLAY_MANY, DISCARD_MANY),
    *(DRY_RUN, REPLAY, DISCARD),
)
