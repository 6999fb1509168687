"""A number in JSON is a number: 3.0 is whole, and neither a text nor true is one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from functions.access.documents import RotationDocument
from functions.directory.documents import PreferencesDocument
from shared.workflows import Workflow


def test_a_number_without_a_fraction_is_whole() -> None:
    assert RotationDocument.model_validate_json('{"grace_seconds": 3600.0}').grace_seconds == 3600


@pytest.mark.parametrize("value", ["3600", True, 3600.5, 1e300])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        RotationDocument.model_validate_json(json.dumps({"grace_seconds": value}))


@pytest.mark.parametrize(
    "workflow",
    [{"retry_seconds": ["2"]}, {"expires_after_seconds": True}, {"options": {"telegram": {"silent": 1}}}],
)
def test_a_workflow_takes_no_text_for_a_number_and_no_number_for_a_claim(workflow: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Workflow.model_validate_json(json.dumps(workflow))


def test_quiet_hours_that_are_wrong_are_refused_by_the_name_of_their_field() -> None:
    with pytest.raises(ValidationError) as broken:
        PreferencesDocument.model_validate_json('{"quiet_hours": {"from": "22:00", "to": "25:00"}}')

    assert [error["loc"] for error in broken.value.errors()] == [("quiet_hours", "to")]
