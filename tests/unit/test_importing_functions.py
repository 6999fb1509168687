"""Functions are imported without a search for cycles, and whatever comes of it, the search goes on afterwards."""

from __future__ import annotations

import gc
from contextlib import suppress

import pytest

from infrastructure.local.functions import FunctionMissing, import_functions


@pytest.mark.parametrize("name", ["deliver-email", "deliver-pigeon"])
def test_after_an_import_cycles_are_searched_for(name: str) -> None:
    gc.disable()

    with suppress(FunctionMissing):
        import_functions([name])

    assert gc.isenabled()


def test_a_function_that_is_not_in_the_tree_is_named() -> None:
    with pytest.raises(FunctionMissing, match=r"deliver.pigeon.* in functions/"):
        import_functions(["deliver-email", "deliver-pigeon"])
