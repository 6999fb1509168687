"""Workflows over HTTP: the rules of a tenant, one by one, or many at once as YAML."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from functions.directory.documents import ImportedAnswer, WorkflowAnswer, WorkflowsAnswer
from functions.directory.operations import (
    DELETE_WORKFLOW,
    GET_WORKFLOW,
    IMPORT_WORKFLOWS,
    LIST_WORKFLOWS,
    PUT_WORKFLOW,
)
from functions.directory.reading import read_document, read_path
from shared.access import Caller
from shared.errors import Refused
from shared.folding import read_workflow
from shared.headers import essence
from shared.operations import JSON, Operation
from shared.problems import FieldsRefused
from shared.rendering import built_in
from shared.requests import read_body
from shared.runtime import Resources
from shared.step import Handler
from shared.strict_yaml import MAX_BYTES
from shared.workflow_files import EVENT_TYPE, WorkflowsMalformed, read_workflows, stored
from shared.workflows import Workflow

PAGE = 100
YAML_TYPES = frozenset({"application/yaml", "application/x-yaml", "text/yaml", JSON, ""})


class WorkflowRoutes:
    """List, show, put, delete, and import."""

    def __init__(self, resources: Resources) -> None:
        self._directory = resources.store.directory
        self._templates = resources.store.templates

    async def list(self, request: Request, caller: Caller) -> Response:
        """List a page of the tenant's own workflows by event type."""
        after = request.query_params.get("cursor", "")
        if after and not EVENT_TYPE.fullmatch(after):
            raise Refused(422, "Invalid cursor", "It must be the next_cursor of a page.", field="cursor")
        found = await self._directory.workflows(caller.tenant, after=after, limit=PAGE + 1)
        page = [_shown(event_type, read_workflow(definition)) for event_type, definition in found[:PAGE]]
        following = page[-1].event_type if len(found) > PAGE else None
        return _answer(WorkflowsAnswer(workflows=tuple(page), next_cursor=following))

    async def get(self, request: Request, caller: Caller) -> Response:
        """Show the workflow that an event type follows: its own, else the tenant's default, else Carillon's."""
        event_type = read_path(request, "event_type", EVENT_TYPE)
        return _answer(_shown(event_type, read_workflow(await self._directory.workflow(caller.tenant, event_type))))

    async def put(self, request: Request, caller: Caller) -> Response:
        """Create or replace the workflow of an event type; `*` is the default of the tenant."""
        event_type = read_path(request, "event_type", EVENT_TYPE)
        workflow = await read_document(request, Workflow)
        if not await self._is_known(caller, workflow.template):
            raise Refused(422, "Invalid request", _NO_TEMPLATE, field="template")
        await self._directory.put_workflows(caller.tenant, stored({event_type: workflow}))
        return _answer(_shown(event_type, workflow))

    async def delete(self, request: Request, caller: Caller) -> Response:
        """Let an event type follow the default again."""
        event_type = read_path(request, "event_type", EVENT_TYPE)
        if not await self._directory.delete_workflow(caller.tenant, event_type):
            raise Refused(404, "Not found", "This event type has no workflow of its own.")
        return Response(status_code=204)

    async def take_many(self, request: Request, caller: Caller) -> Response:
        """Create or replace many, all of them or none."""
        if essence(request.headers.get("content-type", "")) not in YAML_TYPES:
            raise Refused(415, "Unsupported media type", "It must be application/yaml or JSON.", field="Content-Type")
        body = await read_body(request, MAX_BYTES)
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise Refused(400, "Not UTF-8", "The body is not UTF-8.", field="body") from None
        workflows = await asyncio.to_thread(_read, text)  # a large one takes a part of a second
        for event_type, workflow in workflows.items():
            if not await self._is_known(caller, workflow.template):
                raise Refused(422, "Invalid workflows", _NO_TEMPLATE, field=f"workflows.{event_type}.template")
        changed = await self._directory.put_workflows(caller.tenant, stored(workflows))
        return _answer(ImportedAnswer(event_types=tuple(sorted(workflows)), changed=changed))

    async def _is_known(self, caller: Caller, template: str) -> bool:
        """Ask for a template before every notification of an event type fails for a slip of the pen."""
        if built_in(template):
            return True
        return await self._templates.published(caller.tenant, template) is not None


_NO_TEMPLATE = "There is no published template of this name."


def workflow_handlers(resources: Resources) -> dict[Operation, Handler]:
    """Say who does what."""
    workflows = WorkflowRoutes(resources)
    return {
        IMPORT_WORKFLOWS: workflows.take_many,
        LIST_WORKFLOWS: workflows.list,
        PUT_WORKFLOW: workflows.put,
        GET_WORKFLOW: workflows.get,
        DELETE_WORKFLOW: workflows.delete,
    }


def _read(text: str) -> dict[str, Workflow]:
    try:
        return read_workflows(text).workflows
    except WorkflowsMalformed as broken:
        errors = [(fault.field, f"Line {fault.line}: {fault.why}.") for fault in broken.faults]
        raise FieldsRefused(422, "Invalid workflows", errors) from None


def _shown(event_type: str, workflow: Workflow) -> WorkflowAnswer:
    return WorkflowAnswer(event_type=event_type, **dict(workflow))


def _answer(document: BaseModel) -> Response:
    return Response(document.model_dump_json(), media_type=JSON)
