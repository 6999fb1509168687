"""A RabbitMQ as empty as on its first day, and a table whose rejected messages come back soon."""

from __future__ import annotations

from dataclasses import replace

import pika

from shared.broker import topology

SOON_SECONDS = 0.2


def hurried_queues() -> list[topology.Queue]:
    """The table, but a rejected message stays in `events.retry` for a fifth of a second only."""
    soon: dict[str, str | int] = {"x-message-ttl": int(SOON_SECONDS * 1000)}
    return [
        replace(queue, arguments=queue.arguments | soon) if queue.name == topology.RETRY else queue
        for queue in topology.queues()
    ]


def delete_all_queues(url: str) -> None:
    """Delete every queue and exchange of the table."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        channel = connection.channel()
        for queue in topology.queues():
            channel.queue_delete(queue.name)
        for exchange in topology.exchanges():
            channel.exchange_delete(exchange.name)
    finally:
        connection.close()
