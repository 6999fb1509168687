"""What the operator's side offers."""

from __future__ import annotations

from functions.console.documents import SuppressionDocument
from shared.access import Access
from shared.operations import JSON, Answer, Operation, Parameter
from shared.statuses import Channel

ONE_SUPPRESSION = "/suppressions/{channel}/{address:path}"
"""The part of an address before its @ may hold a slash, which comes here decoded."""

LIST_DEAD_LETTERS = Operation(
    name="list_dead_letters",
    method="GET",
    path="/dead-letters",
    access=Access.READ,
    summary="List dead letters, newest first.",
    tag="dead letters",
    parameters=(
        Parameter(
            name="status",
            about="Those with this status; open ones if it is left out.",
            schema={"enum": ["open", "replayed", "resolved", "discarded"]},
        ),
    ),
    gives={200: Answer(about="Dead letters.")},
    refuses=frozenset({422}),
)
GET_DEAD_LETTER = Operation(
    name="get_dead_letter",
    method="GET",
    path="/dead-letters/{id}",
    access=Access.READ,
    summary="Show one dead letter.",
    tag="dead letters",
    gives={200: Answer(about="The dead letter.")},
    refuses=frozenset({404}),
)
REPLAY = Operation(
    name="replay_dead_letter",
    method="POST",
    path="/dead-letters/{id}/replay",
    access=Access.MANAGE,
    summary="Start its saga over, as the next epoch. Twice clicked is once done.",
    tag="dead letters",
    gives={202: Answer(about="The saga starts over.")},
    refuses=frozenset({404, 409}),
)
LIST_SUPPRESSIONS = Operation(
    name="list_suppressions",
    method="GET",
    path="/suppressions",
    access=Access.READ,
    summary="List a page of suppressions by channel and address.",
    tag="suppressions",
    parameters=(
        Parameter(
            name="channel", about="Of this channel alone.", schema={"enum": [channel.value for channel in Channel]}
        ),
        Parameter(name="cursor", about="The next_cursor of the page before.", schema={"type": "string"}),
    ),
    gives={200: Answer(about="A page.")},
    refuses=frozenset({422}),
)
PUT_SUPPRESSION = Operation(
    name="put_suppression",
    method="PUT",
    path=ONE_SUPPRESSION,
    access=Access.MANAGE,
    summary="Send nothing to an address any more, with a reason.",
    tag="suppressions",
    takes={JSON: SuppressionDocument},
    gives={200: Answer(about="The suppression.")},
    refuses=frozenset({400, 422}),
)
LIFT_SUPPRESSION = Operation(
    name="lift_suppression",
    method="DELETE",
    path=ONE_SUPPRESSION,
    access=Access.MANAGE,
    summary="Let messages go to an address again.",
    tag="suppressions",
    gives={204: Answer(about="It is lifted.")},
    refuses=frozenset({404, 422}),
)
OPERATIONS = (
    *(LIST_DEAD_LETTERS, GET_DEAD_LETTER, REPLAY),
    *(LIST_SUPPRESSIONS, PUT_SUPPRESSION, LIFT_SUPPRESSION),
)
