"""What only RabbitMQ's management API tells, where it listens beside the broker and lets the same user in."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from infrastructure.doctor.asking import seconds_from_now
from shared.http_call import Http, Silence

PORTS = {"amqp": ("http", 15672), "amqps": ("https", 15671)}
"""The password goes no less safe a way than it goes to the broker."""

MOST_BYTES = 4 << 20
SECONDS = 3.0
LIMIT = "delivery-limit"


async def delivery_limits(amqp_url: str) -> dict[str, int | None] | None:
    """Map each queue to its limit, None for the server's own; None where nobody tells."""
    parts = urlsplit(amqp_url)
    if parts.scheme not in PORTS or not parts.hostname:
        return None
    scheme, port = PORTS[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    vhost = unquote(parts.path.removeprefix("/")) or "/"
    login = f"{unquote(parts.username or 'guest')}:{unquote(parts.password or 'guest')}".encode()
    http = Http(1, most_bytes=MOST_BYTES)
    try:
        answer = await http.ask(
            "GET",
            f"{scheme}://{host}:{port}/api/queues/{quote(vhost, safe='')}",
            seconds_from_now(SECONDS),
            headers={"Authorization": f"Basic {b64encode(login).decode()}"},
        )
    finally:
        await http.close()
    return None if isinstance(answer, Silence) or answer.status != 200 else read_limits(answer.text)


def read_limits(text: str) -> dict[str, int | None] | None:
    """Read them from the list of queues."""
    try:
        queues: list[Mapping[str, Any]] = json.loads(text)
        return {str(queue["name"]): _limit(queue) for queue in queues}
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _limit(queue: Mapping[str, Any]) -> int | None:
    said = (queue.get("effective_policy_definition") or {}).get(LIMIT, queue["arguments"].get(f"x-{LIMIT}"))
    return said if isinstance(said, int) else None
