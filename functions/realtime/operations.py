"""What the realtime side offers."""

from __future__ import annotations

from shared.access import Access
from shared.operations import Answer, Operation, Parameter

SERVE_SOCKET = Operation(
    name="serve_socket",
    method="GET",
    path="/ws/{user_id}",
    access=Access.PERSON,
    summary="Follow a person's inbox over a WebSocket, and acknowledge what came.",
    tag="inbox",
    person="user_id",
    parameters=(
        Parameter(
            name="since",
            about="Begin after this cursor; 0 for everything kept. Left out, only what is new comes.",
            schema={"type": "integer", "minimum": 0, "maximum": 999_999_999_999_999_999},
        ),
        Parameter(
            name="token",
            about="The person's token, for a browser, which can send no header. Better as a sub-protocol: "
            "`carillon`, and `bearer.` with the token behind it.",
            schema={"type": "string"},
        ),
    ),
    gives={101: Answer(about="The socket is open.")},
    refuses=frozenset({422}),
)
OPERATIONS = (SERVE_SOCKET,)
