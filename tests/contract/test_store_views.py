"""What is told of a notification has one shape, whichever store tells it."""

from __future__ import annotations

from functions.ingest.status_documents import NotificationDocument
from shared.statuses import OutcomeKind
from tests.contract.stage import EMAIL, TENANT, WEBSOCKET, Stage, outcome


async def test_a_notification_is_told_as_its_document_says_before_it_is_routed_and_after(stage: Stage) -> None:
    fresh = await stage.store.views.notification(TENANT, await stage.keep(1, collapse_key="order"))
    command = await stage.route(2, EMAIL, WEBSOCKET, unless_delivered_within_seconds={EMAIL: 60})
    claim = await stage.claim(command)
    await stage.record(command, claim.token, outcome(OutcomeKind.TRANSIENT, reason="busy"))
    await stage.fold_attempt(command, claim.token)

    routed = await stage.store.views.notification(TENANT, command.notification_id)

    for document in (fresh, routed):
        told = NotificationDocument.model_validate(document)
        assert told.model_dump(mode="json", exclude_unset=True) == document
    assert fresh is not None
    assert (fresh["plan"], fresh["collapse_key"]) == (None, "order")
    assert routed is not None
    assert routed["plan"]["unless_delivered_within_seconds"] == {"email": 60}
