"""The operator's HTTP face: how it is going, dead letters, suppressions, the API's description, and the pages."""

from __future__ import annotations

from functions.console.dry_running import dry_run_handlers
from functions.console.letters import letter_handlers
from functions.console.overview import overview_handlers
from functions.console.reference import reference_handlers
from functions.console.serving import page_handlers
from functions.console.suppressions import suppression_handlers
from shared.runtime import Resources
from shared.step import ApiWork, routes


class ConsoleApi(ApiWork):
    """How it is going, and what needs a person."""

    def __init__(self, resources: Resources) -> None:
        letters = dry_run_handlers(resources) | letter_handlers(resources)
        shown = overview_handlers(resources) | reference_handlers() | page_handlers()
        others = suppression_handlers(resources) | shown
        super().__init__(routes(resources.gate, {**letters, **others}))
