"""A template to play with, and how a client writes it."""

from __future__ import annotations

import json
from typing import Any

from shared.serve import App
from tests.asgi import Answer, call

WELCOME = {
    "name": "welcome",
    "channel": "email",
    "language": "en",
    "subject": "Hello {{ user_name }}",
    "body": "{{ message }}, {{ user_name }}!",
}


async def send(app: App, method: str, path: str, document: Any = None) -> Answer:
    """Call the API with JSON."""
    body = b"" if document is None else json.dumps(document).encode()
    return await call(app, method, path, body, {"content-type": "application/json"})


async def post(app: App, **changes: Any) -> Any:
    """Write words of the template, with changes."""
    answer = await send(app, "POST", "/templates", {**WELCOME, **changes})
    assert answer.status in (200, 201), answer.body
    return answer.document
