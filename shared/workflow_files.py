"""Workflows in a file, or in one body: many at once, all of them or none.

workflows:
  order_shipped:
    category: orders
    channels: [push, email]
  "*":
    channels: [websocket, email]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shared import strict_yaml
from shared.errors import Permanent
from shared.events import TENANT
from shared.problems import refused_fields
from shared.strict_json import spell
from shared.strict_yaml import Marked, YamlMalformed
from shared.tenants import OPEN_TENANT
from shared.workflows import Workflow

EVENT_TYPE = re.compile(r"\*|[A-Za-z0-9._:/-]{1,128}")
MOST_WORKFLOWS = 1_000
MOST_FAULTS = 20
TENANTS = "tenants"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, where it stands, and on which line."""

    field: str
    line: int
    why: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"line {self.line}: {self.field}: {self.why}"


class WorkflowsMalformed(Permanent):
    """Workflows that cannot be read: nothing of them is kept."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowFile:
    """What a file says: for whom, and which workflow each event type has."""

    tenants: tuple[str, ...] = (OPEN_TENANT,)
    workflows: dict[str, Workflow]


def read_workflows(text: str, *, may_name_tenants: bool = False) -> WorkflowFile:
    """Read workflows from YAML (or JSON, which is YAML).

    Raises:
        WorkflowsMalformed: with the line of everything that is wrong.
    """
    try:
        marked = strict_yaml.parse(text)
    except YamlMalformed as broken:
        raise WorkflowsMalformed([Fault("body", broken.line or 1, broken.why)]) from None
    document = marked.value
    faults = list(_faults_around(document, may_name_tenants=may_name_tenants))
    if faults:
        raise WorkflowsMalformed([Fault(spell(path) or "body", marked.line_of(path), why) for path, why in faults])
    workflows = _workflows(marked)
    return WorkflowFile(tenants=tuple(document.get(TENANTS, [OPEN_TENANT])), workflows=workflows)


def read_file(path: str) -> WorkflowFile:
    """Read a file of workflows.

    Raises:
        WorkflowsMalformed: with its name, and the line of everything that is wrong.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as broken:
        raise WorkflowsMalformed([Fault(path, 1, f"it cannot be read: {type(broken).__name__}")]) from None
    try:
        return read_workflows(text, may_name_tenants=True)
    except WorkflowsMalformed as broken:
        raise WorkflowsMalformed([Fault(f"{path}: {one.field}", one.line, one.why) for one in broken.faults]) from None


def stored(workflows: Mapping[str, Workflow]) -> dict[str, dict[str, Any]]:
    """Write workflows as they are stored: what has its default is left out."""
    return {key: one.model_dump(mode="json", exclude_defaults=True) for key, one in workflows.items()}


def _faults_around(document: Any, *, may_name_tenants: bool) -> list[tuple[strict_yaml.Path, str]]:
    if not isinstance(document, dict) or "workflows" not in document:
        return [((), "it must say workflows: and then, for each event type, its workflow")]
    known = {"workflows", TENANTS} if may_name_tenants else {"workflows"}
    faults: list[tuple[strict_yaml.Path, str]] = [
        ((key,), "nothing is known by this name") for key in document if key not in known
    ]
    workflows, tenants = document["workflows"], document.get(TENANTS, [OPEN_TENANT])
    if not isinstance(workflows, dict) or len(workflows) > MOST_WORKFLOWS:
        faults.append((("workflows",), f"it must name event types, {MOST_WORKFLOWS} at most"))
    else:
        wrong = [key for key in workflows if not EVENT_TYPE.fullmatch(key)]
        faults += [(("workflows", key), "an event type has letters, digits and . _ : / -, or is *") for key in wrong]
    if not isinstance(tenants, list) or not all(isinstance(one, str) and re.fullmatch(TENANT, one) for one in tenants):
        faults.append(((TENANTS,), "it must list tenants"))
    return faults[:MOST_FAULTS]


def _workflows(marked: Marked) -> dict[str, Workflow]:
    found: dict[str, Workflow] = {}
    faults: list[Fault] = []
    for event_type, definition in marked.value["workflows"].items():
        try:
            found[event_type] = Workflow.model_validate({} if definition is None else definition)
        except ValidationError as broken:
            told = refused_fields(broken).errors
            for one, (_, why) in zip(broken.errors(include_url=False, include_input=False), told, strict=False):
                path = ("workflows", event_type, *one["loc"])
                faults.append(Fault(spell(path), marked.line_of(path), why.rstrip(".")))
    if faults:
        raise WorkflowsMalformed(sorted(faults, key=lambda fault: fault.line)[:MOST_FAULTS])
    return found
