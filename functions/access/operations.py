"""What is offered about keys and tokens."""

from __future__ import annotations

from functions.access.documents import (
    KeyDocument,
    KeyPage,
    MadeKeyDocument,
    MeDocument,
    NewKeyDocument,
    RotationDocument,
    TokenDocument,
    TokenRequest,
)
from shared.access import Access
from shared.operations import CURSOR, JSON, Answer, Operation

MAKE_KEY = Operation(
    name="make_key",
    method="POST",
    path="/keys",
    access=Access.ADMIN,
    summary="Make an API key of this tenant. It is shown in this answer alone.",
    tag="keys",
    takes={JSON: NewKeyDocument},
    gives={201: Answer(about="The key.", model=MadeKeyDocument)},
    refuses=frozenset({400, 422}),
    example={"name": "shop", "scopes": ["send", "read"]},
)
LIST_KEYS = Operation(
    name="list_keys",
    method="GET",
    path="/keys",
    access=Access.ADMIN,
    summary="List a page of keys, the newest first, without the keys themselves.",
    tag="keys",
    parameters=(CURSOR,),
    gives={200: Answer(about="A page.", model=KeyPage)},
    refuses=frozenset({422}),
)
GET_KEY = Operation(
    name="get_key",
    method="GET",
    path="/keys/{id}",
    access=Access.ADMIN,
    summary="Show a key, without the key itself.",
    tag="keys",
    gives={200: Answer(about="The key.", model=KeyDocument)},
    refuses=frozenset({404}),
)
ROTATE_KEY = Operation(
    name="rotate_key",
    method="POST",
    path="/keys/{id}/rotate",
    access=Access.ADMIN,
    summary="Make a new key in the place of an active one, which stays good for a grace time.",
    tag="keys",
    takes={JSON: RotationDocument},
    may_be_empty=True,
    gives={201: Answer(about="The new key.", model=MadeKeyDocument)},
    refuses=frozenset({400, 404, 409, 422}),
    example={"grace_seconds": 3600},
)
REVOKE_KEY = Operation(
    name="revoke_key",
    method="DELETE",
    path="/keys/{id}",
    access=Access.ADMIN,
    summary="End a key: here at once, elsewhere within five seconds. Twice is once.",
    tag="keys",
    gives={204: Answer(about="It is revoked.")},
    refuses=frozenset({404}),
)
MAKE_TOKEN = Operation(
    name="make_token",
    method="POST",
    path="/auth/token",
    access=Access.MANAGE,
    summary="Make a short-lived token for one of the tenant's users.",
    tag="keys",
    about="With `scopes` it is an operator's: never more than the caller has, never for longer than their own token.",
    takes={JSON: TokenRequest},
    gives={200: Answer(about="The token.", model=TokenDocument)},
    refuses=frozenset({400, 404, 422}),
    example={"user_id": "7"},
)
GET_ME = Operation(
    name="get_me",
    method="GET",
    path="/auth/me",
    access=Access.READ,
    summary="Tell who calls, and what they may do.",
    tag="keys",
    gives={200: Answer(about="The caller.", model=MeDocument)},
)
OPERATIONS = (MAKE_KEY, LIST_KEYS, GET_KEY, ROTATE_KEY, REVOKE_KEY, MAKE_TOKEN, GET_ME)
