"""Headers that belong to the whole of a request, in whichever form its events come."""

from __future__ import annotations

import pytest

from functions.ingest.requests import read
from shared.errors import Refused


@pytest.mark.parametrize("name", ["Idempotency-Key", "X-Correlation-ID"])
def test_a_wrong_header_is_refused_with_a_batch_too_even_with_an_empty_one(name: str) -> None:
    with pytest.raises(Refused) as refused:
        read({"content-type": "application/cloudevents-batch+json", name: "a b"}, b"[]")

    assert (refused.value.status, refused.value.field) == (400, name)
