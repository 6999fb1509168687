"""What is offered to who wants to know how it is going."""

from __future__ import annotations

from functions.console.overview_documents import OverviewDocument
from shared.access import Access
from shared.operations import Answer, Operation

GET_OVERVIEW = Operation(
    name="get_overview",
    method="GET",
    path="/overview",
    access=Access.READ,
    summary="Show how it is going: the last half hour, what is under way, the providers, and what is stuck.",
    tag="overview",
    gives={200: Answer(about="At most two seconds old.", model=OverviewDocument)},
)
