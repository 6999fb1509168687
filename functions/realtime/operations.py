"""What the realtime side offers."""

from __future__ import annotations

from shared.access import Access
from shared.operations import Answer, Operation, Parameter

EVENT_STREAM = "text/event-stream"

_NUMBER = {"type": "integer", "minimum": 0, "maximum": 999_999_999_999_999_999}
PLACE = (
    Parameter(
        name="since",
        about="Begin after this cursor; 0 for everything kept. Left out, only what is new comes.",
        schema=_NUMBER,
    ),
    Parameter(
        name="change",
        about="Begin after this change of marks: what was read or archived elsewhere since then is told. "
        "Left out, only what is marked from now on.",
        schema=_NUMBER,
    ),
)

SERVE_SOCKET = Operation(
    name="serve_socket",
    method="GET",
    path="/ws/{user_id}",
    access=Access.PERSON,
    summary="Follow a person's inbox over a WebSocket, acknowledge what came, and mark it.",
    tag="inbox",
    person="user_id",
    parameters=(
        *PLACE,
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
SERVE_STREAM = Operation(
    name="serve_stream",
    method="GET",
    path="/sse/{user_id}",
    access=Access.PERSON,
    summary="Follow a person's inbox as Server-Sent Events.",
    about="The events are the frames of the WebSocket; an event's `id` is the cursor, a dot, and the change.",
    tag="inbox",
    person="user_id",
    may_show_token_in_address=True,
    parameters=(
        *PLACE,
        Parameter(
            name="token",
            about="The person's token, for a browser's EventSource, which can send no header. Never a key.",
            schema={"type": "string"},
        ),
        Parameter(
            name="Last-Event-ID",
            about="The id of the last event: it goes on behind it, whatever `since` and `change` say.",
            schema={"type": "string", "pattern": r"^([0-9]{1,18}(\.[0-9]{1,18})?)?$"},
            place="header",
        ),
    ),
    gives={200: Answer(about="A stream without an end of its own.", media_type=EVENT_STREAM)},
    refuses=frozenset({422}),
)
GET_COMPONENT = Operation(
    name="get_inbox_component",
    method="GET",
    path="/inbox/carillon-inbox.js",
    access=Access.PUBLIC,
    summary="Hand out the inbox for web pages, as one ES module.",
    tag="inbox",
    gives={200: Answer(about="The module.", media_type="text/javascript")},
)
GET_DEMO = Operation(
    name="get_inbox_demo",
    method="GET",
    path="/demo/inbox",
    access=Access.PUBLIC,
    summary="Show the inbox on a page, and send oneself a message.",
    tag="inbox",
    gives={200: Answer(about="A page.", media_type="text/html")},
)
GET_DEMO_FILE = Operation(
    name="get_inbox_demo_file",
    method="GET",
    path="/demo/inbox/{name}",
    access=Access.PUBLIC,
    summary="Hand out what that page is made of.",
    tag="inbox",
    parameters=(
        Parameter(
            name="name", about="The file's name.", schema={"type": "string", "examples": ["demo.js"]}, place="path"
        ),
    ),
    gives={200: Answer(about="A script or a style sheet.", media_type="text/*")},
    refuses=frozenset({404}),
)
OPERATIONS = (SERVE_SOCKET, SERVE_STREAM, GET_COMPONENT, GET_DEMO, GET_DEMO_FILE)
