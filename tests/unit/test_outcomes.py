"""What is handed to a provider does not show whose it is and what it says."""

from __future__ import annotations

from uuid import UUID

from shared.outcomes import Letter
from shared.statuses import Channel


def test_a_letter_is_shown_without_its_address_and_its_words() -> None:
    letter = Letter(
        notification_id=UUID(int=1),
        tenant="default",
        user_id="1",
        channel=Channel.EMAIL,
        address="ada@example.test",
        subject="the subject",
        text="the text",
        html="<p>the text</p>",
        idempotency_key=UUID(int=2),
        options={"phone": "+15550100"},
    )

    shown = repr(letter)

    assert str(UUID(int=1)) in shown
    assert [word for word in ("ada@", "the subject", "the text", "<p>", "+1555") if word in shown] == []
