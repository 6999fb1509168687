from __future__ import annotations

from typing import Any

import pytest

from infrastructure.local.json_patch import PatchUnfit, merged, patched


def document() -> dict[str, Any]:
    return {"a": {"b": 1, "c/d": 2}, "list": [{"name": "x"}, {"name": "y"}]}


@pytest.mark.parametrize(
    ("operation", "outcome"),
    [
        ({"op": "add", "path": "/a/e", "value": [3]}, {"a": {"b": 1, "c/d": 2, "e": [3]}}),
        ({"op": "replace", "path": "/a/c~1d", "value": 3}, {"a": {"b": 1, "c/d": 3}}),
        ({"op": "remove", "path": "/a/b"}, {"a": {"c/d": 2}}),
        ({"op": "test", "path": "/a/b", "value": 1}, {}),
        ({"op": "add", "path": "/list/1", "value": "z"}, {"list": [{"name": "x"}, "z", {"name": "y"}]}),
        ({"op": "add", "path": "/list/-", "value": "z"}, {"list": [{"name": "x"}, {"name": "y"}, "z"]}),
        ({"op": "replace", "path": "/list/0/name", "value": "z"}, {"list": [{"name": "z"}, {"name": "y"}]}),
        ({"op": "remove", "path": "/list/0"}, {"list": [{"name": "y"}]}),
    ],
)
def test_an_operation_changes_what_its_path_names_and_nothing_else(
    operation: dict[str, Any], outcome: dict[str, Any]
) -> None:
    assert patched(document(), [operation]) == document() | outcome


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ({"op": "test", "path": "/list/0/name", "value": "y"}, "'x', not 'y'"),
        ({"op": "test", "path": "/list/2", "value": "y"}, "nothing at /list/2"),
        ({"op": "replace", "path": "/a/x", "value": 1}, "nothing at /a/x"),
        ({"op": "remove", "path": "/a/b/c"}, "nothing at /a/b/c"),
        ({"op": "remove", "path": "/list/-1"}, "nothing at /list/-1"),
        ({"op": "add", "path": "/x/y", "value": 1}, "nothing at /x/y"),
        ({"op": "add", "path": "/list/3", "value": 1}, "shorter"),
        ({"op": "add", "path": "/a/b/c", "value": 1}, "no list"),
        ({"op": "move", "path": "/a", "from": "/b"}, "none of add"),
        ({"op": "add", "value": 1}, "no path"),
        ("add", "none of add"),
    ],
)
def test_a_patch_that_does_not_fit_is_refused(operation: Any, why: str) -> None:
    with pytest.raises(PatchUnfit, match=why):
        patched(document(), [operation])


def test_what_is_merged_goes_field_by_field_and_a_list_is_put_in_its_place() -> None:
    patch = {"a": {"b": None, "e": {"f": 1}}, "list": ["z"]}

    assert merged(document(), patch) == {"a": {"c/d": 2, "e": {"f": 1}}, "list": ["z"]}
