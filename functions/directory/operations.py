"""What the directory offers."""

from __future__ import annotations

from functions.directory.documents import DeviceDocument, UserDocument
from shared.access import Access
from shared.operations import JSON, Answer, Operation, Parameter
from shared.statuses import PushService
from shared.workflows import Workflow

ONE_DEVICE = "/users/{id}/devices/{token:path}"
"""A token may hold a slash, which comes here decoded."""

PUT_USER = Operation(
    name="put_user",
    method="PUT",
    path="/users/{id}",
    access=Access.MANAGE,
    summary="Create or replace a user.",
    tag="users",
    takes={JSON: UserDocument},
    gives={200: Answer(about="The user.")},
    refuses=frozenset({400, 422}),
)
GET_USER = Operation(
    name="get_user",
    method="GET",
    path="/users/{id}",
    access=Access.PERSON,
    summary="Show a user.",
    tag="users",
    gives={200: Answer(about="The user.")},
    refuses=frozenset({404, 422}),
)
LIST_DEVICES = Operation(
    name="list_devices",
    method="GET",
    path="/users/{id}/devices",
    access=Access.PERSON,
    summary="List a user's devices, the oldest registration first.",
    tag="devices",
    gives={200: Answer(about="The devices.")},
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
    gives={200: Answer(about="The device.")},
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
    gives={200: Answer(about="The workflow.")},
    refuses=frozenset({400, 422}),
)
GET_WORKFLOW = Operation(
    name="get_workflow",
    method="GET",
    path="/workflows/{event_type:path}",
    access=Access.READ,
    summary="Show the workflow that an event type follows: its own, else the tenant's default, else Carillon's.",
    tag="workflows",
    gives={200: Answer(about="The workflow.")},
    refuses=frozenset({422}),
)
OPERATIONS = (PUT_USER, GET_USER, LIST_DEVICES, PUT_DEVICE, REMOVE_DEVICE, PUT_WORKFLOW, GET_WORKFLOW)
