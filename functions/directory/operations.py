"""What the directory offers."""

from __future__ import annotations

from functions.directory.documents import (
    BulkAnswer,
    BulkDocument,
    DeviceAnswer,
    DeviceDocument,
    Devices,
    ErasureAnswer,
    ImportDocument,
    ImportedAnswer,
    NewUserDocument,
    PreferencesAnswer,
    PreferencesDocument,
    UserAnswer,
    UserDocument,
    UserPatch,
    UsersAnswer,
    WorkflowAnswer,
    WorkflowsAnswer,
)
from functions.directory.inbox_operations import INBOX_OPERATIONS
from shared.access import Access
from shared.contact_policy import ContactPolicy
from shared.operations import CURSOR, JSON, Answer, Operation, Parameter
from shared.statuses import PushService
from shared.workflows import Workflow

ONE_DEVICE = "/users/{id}/devices/{token:path}"
"""A token may hold a slash, which comes here decoded."""

USER_ID = Parameter(
    name="id",
    about="The user's id.",
    schema={"type": "string", "pattern": r"^[^\x00-\x1f\x7f-\x9f/]{1,128}$"},
    place="path",
)
TOKEN = Parameter(
    name="token",
    about="What the provider gave the device, percent-encoded.",
    schema={"type": "string", "pattern": "^[!-~]{1,4096}$"},
    place="path",
)
EVENT_TYPE = Parameter(
    name="event_type",
    about="The event type; `*` for every one that has no workflow of its own.",
    schema={"type": "string", "pattern": r"^(\*|[A-Za-z0-9._:/-]{1,128})$"},
    place="path",
)

PUT_USER = Operation(
    name="put_user",
    method="PUT",
    path="/users/{id}",
    access=Access.MANAGE,
    summary="Create or replace a user.",
    tag="users",
    takes={JSON: UserDocument},
    example={"name": "Ada", "email": "ada@example.com", "phone": "+15551234567"},
    parameters=(USER_ID,),
    gives={200: Answer(about="The user.", model=UserAnswer)},
    refuses=frozenset({400, 422}),
)
CREATE_USER = Operation(
    name="create_user",
    method="POST",
    path="/users",
    access=Access.MANAGE,
    summary="Create a user; without an id one is made.",
    tag="users",
    takes={JSON: NewUserDocument},
    gives={201: Answer(about="The user.", model=UserAnswer)},
    refuses=frozenset({400, 409, 422}),
    example={"name": "Ada", "email": "ada@example.com", "time_zone": "Europe/Berlin"},
)
PUT_USERS = Operation(
    name="put_users",
    method="POST",
    path="/users/bulk",
    access=Access.MANAGE,
    summary="Create or replace up to a thousand users; each has its own answer.",
    tag="users",
    takes={JSON: BulkDocument},
    gives={200: Answer(about="What came of each, in order.", model=BulkAnswer)},
    refuses=frozenset({400, 422}),
    example={"users": [{"id": 7, "name": "Ada", "email": "ada@example.com"}]},
)
PATCH_USER = Operation(
    name="patch_user",
    method="PATCH",
    path="/users/{id}",
    access=Access.MANAGE,
    summary="Change what is named of a user (RFC 7396); null takes away.",
    tag="users",
    parameters=(USER_ID,),
    takes={JSON: UserPatch},
    gives={200: Answer(about="The user.", model=UserAnswer)},
    refuses=frozenset({400, 404, 422}),
)
LIST_USERS = Operation(
    name="list_users",
    method="GET",
    path="/users",
    access=Access.READ,
    summary="List users in the order of their ids, a hundred at a time.",
    tag="users",
    parameters=(
        Parameter(name="email", about="Those with this address.", schema={"type": "string"}),
        Parameter(name="phone", about="Those with this number.", schema={"type": "string"}),
        CURSOR,
    ),
    gives={200: Answer(about="A page.", model=UsersAnswer)},
    refuses=frozenset({422}),
)
GET_USER = Operation(
    name="get_user",
    method="GET",
    path="/users/{id}",
    access=Access.PERSON,
    summary="Show a user.",
    tag="users",
    parameters=(USER_ID,),
    gives={200: Answer(about="The user.", model=UserAnswer)},
    refuses=frozenset({404, 422}),
)
ERASE_USER = Operation(
    name="erase_user",
    method="DELETE",
    path="/users/{id}",
    access=Access.MANAGE,
    summary="Forget a person and everything that says something of them; what is under way ends.",
    tag="users",
    parameters=(USER_ID,),
    gives={202: Answer(about="It is under way, and will be finished.", model=ErasureAnswer)},
    refuses=frozenset({404, 422}),
)
GET_ERASURE = Operation(
    name="get_erasure",
    method="GET",
    path="/erasures/{id}",
    access=Access.READ,
    summary="Show how far an erasure is.",
    tag="users",
    gives={200: Answer(about="The erasure.", model=ErasureAnswer)},
    refuses=frozenset({404}),
)
GET_PREFERENCES = Operation(
    name="get_preferences",
    method="GET",
    path="/users/{id}/preferences",
    access=Access.PERSON,
    summary="Show what a person wants on which channel, and when they are left alone.",
    tag="preferences",
    parameters=(USER_ID,),
    gives={200: Answer(about="What they have said.", model=PreferencesAnswer)},
    refuses=frozenset({404, 422}),
)
PUT_PREFERENCES = Operation(
    name="put_preferences",
    method="PUT",
    path="/users/{id}/preferences",
    access=Access.PERSON,
    summary="Replace what a person wants, as a whole; a critical category cannot be switched off.",
    tag="preferences",
    parameters=(USER_ID,),
    takes={JSON: PreferencesDocument},
    gives={200: Answer(about="What they have said.", model=PreferencesAnswer)},
    refuses=frozenset({400, 404, 422}),
    example={"preferences": {"news": {"sms": False}}, "quiet_hours": {"from": "22:00", "to": "07:00"}},
)
GET_DEFAULTS = Operation(
    name="get_preference_defaults",
    method="GET",
    path="/preferences/defaults",
    access=Access.READ,
    summary="Show what holds for all people of the tenant who have said nothing else.",
    tag="preferences",
    gives={200: Answer(about="The tenant's rules.", model=ContactPolicy)},
)
PUT_DEFAULTS = Operation(
    name="put_preference_defaults",
    method="PUT",
    path="/preferences/defaults",
    access=Access.MANAGE,
    summary="Replace what holds for all people of the tenant: defaults, critical categories, quiet hours, caps.",
    tag="preferences",
    takes={JSON: ContactPolicy},
    gives={200: Answer(about="The tenant's rules.", model=ContactPolicy)},
    refuses=frozenset({400, 422}),
    example={"critical": ["security"], "defaults": {"marketing": {"sms": False}}},
)
LIST_DEVICES = Operation(
    name="list_devices",
    method="GET",
    path="/users/{id}/devices",
    access=Access.PERSON,
    summary="List a user's devices, the oldest registration first.",
    tag="devices",
    parameters=(USER_ID,),
    gives={200: Answer(about="The devices.", model=Devices)},
    refuses=frozenset({404, 422}),
)
PUT_DEVICE = Operation(
    name="put_device",
    method="PUT",
    path=ONE_DEVICE,
    access=Access.PERSON,
    summary="Register a device; again and again, as apps do.",
    tag="devices",
    takes={JSON: DeviceDocument},
    example={"provider": "fcm", "platform": "android"},
    parameters=(USER_ID, TOKEN),
    gives={200: Answer(about="The device.", model=DeviceAnswer)},
    refuses=frozenset({400, 404, 409, 422}),
)
REMOVE_DEVICE = Operation(
    name="remove_device",
    method="DELETE",
    path=ONE_DEVICE,
    access=Access.PERSON,
    summary="Remove a device of the provider that the query names.",
    tag="devices",
    parameters=(
        *(USER_ID, TOKEN),
        Parameter(
            name="provider",
            about="Who gave the token.",
            schema={"enum": [service.value for service in PushService]},
            is_required=True,
        ),
    ),
    gives={204: Answer(about="It is removed.")},
    refuses=frozenset({404, 422}),
)
PUT_WORKFLOW = Operation(
    name="put_workflow",
    method="PUT",
    path="/workflows/{event_type:path}",
    access=Access.MANAGE,
    summary="Create or replace the workflow of an event type; `*` is the default of the tenant.",
    tag="workflows",
    takes={JSON: Workflow},
    example={"category": "orders", "channels": ["push", "email"], "strategy": "first"},
    parameters=(EVENT_TYPE,),
    gives={200: Answer(about="The workflow.", model=WorkflowAnswer)},
    refuses=frozenset({400, 422}),
)
GET_WORKFLOW = Operation(
    name="get_workflow",
    method="GET",
    path="/workflows/{event_type:path}",
    access=Access.READ,
    summary="Show the workflow that an event type follows: its own, else the tenant's default, else Carillon's.",
    tag="workflows",
    parameters=(EVENT_TYPE,),
    gives={200: Answer(about="The workflow.", model=WorkflowAnswer)},
    refuses=frozenset({422}),
)
LIST_WORKFLOWS = Operation(
    name="list_workflows",
    method="GET",
    path="/workflows",
    access=Access.READ,
    summary="List a page of the tenant's own workflows by event type.",
    tag="workflows",
    parameters=(CURSOR,),
    gives={200: Answer(about="A page.", model=WorkflowsAnswer)},
    refuses=frozenset({422}),
)
DELETE_WORKFLOW = Operation(
    name="delete_workflow",
    method="DELETE",
    path="/workflows/{event_type:path}",
    access=Access.MANAGE,
    summary="Let an event type follow the tenant's default again.",
    tag="workflows",
    parameters=(EVENT_TYPE,),
    gives={204: Answer(about="It has no workflow of its own any more.")},
    refuses=frozenset({404, 422}),
)
IMPORT_WORKFLOWS = Operation(
    name="import_workflows",
    method="POST",
    path="/workflows/import",
    access=Access.MANAGE,
    summary="Create or replace many workflows, all of them or none. What is wrong is told by its line.",
    tag="workflows",
    takes={"application/yaml": ImportDocument, JSON: ImportDocument},
    gives={200: Answer(about="They are in place.", model=ImportedAnswer)},
    refuses=frozenset({400, 422}),
    example={"workflows": {"order_shipped": {"category": "orders", "channels": ["push", "email"]}}},
)
OPERATIONS = (
    *(CREATE_USER, LIST_USERS, PUT_USERS, PUT_USER, PATCH_USER, GET_USER),
    *(ERASE_USER, GET_ERASURE),
    *(GET_PREFERENCES, PUT_PREFERENCES, GET_DEFAULTS, PUT_DEFAULTS),
    *(LIST_DEVICES, PUT_DEVICE, REMOVE_DEVICE),
    *INBOX_OPERATIONS,
    *(IMPORT_WORKFLOWS, LIST_WORKFLOWS, PUT_WORKFLOW, GET_WORKFLOW, DELETE_WORKFLOW),
)
