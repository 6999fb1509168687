"""Where the operator's pages are. They tell nothing by themselves: what they show is asked for with a key."""

from __future__ import annotations

from shared.access import Access
from shared.operations import Answer, Operation, Parameter

GET_CONSOLE = Operation(
    name="get_console",
    method="GET",
    path="/",
    access=Access.PUBLIC,
    summary="Show the console: what happens now, what became of a notification, and what needs a person.",
    tag="console",
    gives={200: Answer(about="A page.", media_type="text/html")},
)
GET_CONSOLE_FILE = Operation(
    name="get_console_file",
    method="GET",
    path="/console/{name}",
    access=Access.PUBLIC,
    summary="Hand out what the console is made of.",
    tag="console",
    parameters=(
        Parameter(
            name="name", about="The file's name.", schema={"type": "string", "examples": ["app.js"]}, place="path"
        ),
    ),
    gives={200: Answer(about="A script, a style sheet, or the frame for messages.", media_type="text/*")},
    refuses=frozenset({404}),
)
PAGE_OPERATIONS = (GET_CONSOLE, GET_CONSOLE_FILE)
