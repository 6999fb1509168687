"""What the operator's side offers."""

from __future__ import annotations

from functions.console.documents import SuppressionAnswer, SuppressionDocument, Suppressions
from functions.console.letter_operations import LETTER_OPERATIONS
from functions.console.overview_operations import GET_OVERVIEW
from functions.console.page_operations import PAGE_OPERATIONS
from shared.access import Access
from shared.operations import CURSOR, JSON, Answer, Operation, Parameter
from shared.statuses import Channel

ONE_SUPPRESSION = "/suppressions/{channel}/{address:path}"
"""The part of an address before its @ may hold a slash, which comes here decoded."""

ADDRESSABLE = [channel.value for channel in (Channel.EMAIL, Channel.SMS, Channel.WHATSAPP, Channel.TELEGRAM)]
CHANNEL = Parameter(name="channel", about="A channel with addresses.", schema={"enum": ADDRESSABLE}, place="path")
ADDRESS = Parameter(
    name="address",
    about="An address of that channel, percent-encoded.",
    schema={"type": "string", "minLength": 1, "maxLength": 254},
    place="path",
)

LIST_SUPPRESSIONS = Operation(
    name="list_suppressions",
    method="GET",
    path="/suppressions",
    access=Access.READ,
    summary="List a page of suppressions by channel and address.",
    tag="suppressions",
    parameters=(
        Parameter(name="channel", about="Of this channel alone.", schema={"enum": ADDRESSABLE}),
        CURSOR,
    ),
    gives={200: Answer(about="A page.", model=Suppressions)},
    refuses=frozenset({422}),
)
PUT_SUPPRESSION = Operation(
    name="put_suppression",
    method="PUT",
    path=ONE_SUPPRESSION,
    access=Access.MANAGE,
    summary="Send nothing to an address any more, with a reason.",
    tag="suppressions",
    parameters=(CHANNEL, ADDRESS),
    takes={JSON: SuppressionDocument},
    gives={200: Answer(about="The suppression.", model=SuppressionAnswer)},
    example={"reason": "The person asked for it."},
    refuses=frozenset({400, 422}),
)
LIFT_SUPPRESSION = Operation(
    name="lift_suppression",
    method="DELETE",
    path=ONE_SUPPRESSION,
    access=Access.MANAGE,
    summary="Let messages go to an address again.",
    tag="suppressions",
    parameters=(CHANNEL, ADDRESS),
    gives={204: Answer(about="It is lifted.")},
    refuses=frozenset({404, 422}),
)
GET_OPENAPI = Operation(
    name="get_openapi",
    method="GET",
    path="/openapi.json",
    access=Access.PUBLIC,
    summary="Show this specification.",
    tag="reference",
    gives={200: Answer(about="OpenAPI 3.1.")},
)
GET_DOCS = Operation(
    name="get_docs",
    method="GET",
    path="/docs",
    access=Access.PUBLIC,
    summary="Show it as a page, on which everything can be tried out.",
    tag="reference",
    gives={200: Answer(about="A page.", media_type="text/html")},
)
GET_DOCS_FILE = Operation(
    name="get_docs_file",
    method="GET",
    path="/docs/{name}",
    access=Access.PUBLIC,
    summary="Hand out what the page is made of.",
    tag="reference",
    parameters=(
        Parameter(
            name="name", about="The file's name.", schema={"type": "string", "examples": ["docs.js"]}, place="path"
        ),
    ),
    gives={200: Answer(about="A script or a style sheet.", media_type="text/*")},
    refuses=frozenset({404}),
)
OPERATIONS = (
    GET_OVERVIEW,
    *LETTER_OPERATIONS,
    *(LIST_SUPPRESSIONS, PUT_SUPPRESSION, LIFT_SUPPRESSION),
    *(GET_OPENAPI, GET_DOCS, GET_DOCS_FILE),
    *PAGE_OPERATIONS,
)
