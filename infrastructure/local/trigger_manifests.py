"""Read a Broker and its Triggers, and refuse what they say only to be ignored or lost on a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from infrastructure.local.manifest import Manifest
from infrastructure.local.records import MAX_PARALLELISM, Delivery, Service, Trigger, duration_seconds

BROKER_CLASS = "eventing.knative.dev/broker.class"
PARALLELISM = "rabbitmq.eventing.knative.dev/parallelism"
RETRIES_UNSAID = 5
"""What the dispatcher takes where a delivery says nothing of retries."""


def read_broker(found: Sequence[Manifest], services: Mapping[str, Service]) -> tuple[str | None, tuple[Trigger, ...]]:
    """Return the Broker's name, if there is one, and its Triggers.

    Raises:
        ManifestInvalid: there are several Brokers, or something is wrong with one or with a Trigger.
    """
    brokers = [one for one in found if one.kind == "Broker" and one.group == "eventing.knative.dev"]
    triggers = [one for one in found if one.kind == "Trigger" and one.group == "eventing.knative.dev"]
    if not brokers:
        for trigger in triggers:
            raise trigger.invalid("there is no Broker")
        return None, ()
    broker, *others = brokers
    for other in others:
        raise other.invalid("the local runtime runs one Broker")
    name: str = broker.get("metadata.name", str)
    _check_broker(broker)
    for source in found:
        if source.kind == "RabbitmqSource":
            raise source.invalid(f"nobody publishes to its queue: the functions publish to the Broker {name}")
    return name, tuple(_trigger(trigger, broker, services) for trigger in triggers)


def _check_broker(broker: Manifest) -> None:
    kind = broker.get("metadata.annotations", dict, {}).get(BROKER_CLASS)
    if kind != "RabbitMQBroker":
        raise broker.invalid(f"{BROKER_CLASS} is {kind!r}: the local runtime behaves as a RabbitMQBroker does")
    for field in ("name", "namespace"):
        broker.get(f"spec.config.{field}", str)


def _trigger(manifest: Manifest, broker: Manifest, services: Mapping[str, Service]) -> Trigger:
    if manifest.get("spec.broker", str) != broker.get("metadata.name", str):
        raise manifest.invalid(f"spec.broker is {manifest.get('spec.broker', str)}, which is not there")
    if manifest.document["spec"].get("filters") is not None:
        raise manifest.invalid("spec.filters is ignored by RabbitMQ's Broker: the Trigger would get everything")
    filters = manifest.get("spec.filter.attributes", dict, {})
    if not all(isinstance(value, str) for value in filters.values()):
        raise manifest.invalid("spec.filter.attributes must have strings: the Broker compares types, too")
    parallelism = str(manifest.get("metadata.annotations", dict, {}).get(PARALLELISM, "1"))
    if not (parallelism.isascii() and parallelism.isdigit() and 1 <= int(parallelism) <= MAX_PARALLELISM):
        raise manifest.invalid(f"{PARALLELISM} is {parallelism!r}, not 1 to {MAX_PARALLELISM}")
    return Trigger(
        name=manifest.get("metadata.name", str),
        namespace=manifest.get("metadata.namespace", str, "default"),
        service=manifest.service("spec.subscriber", services),
        attributes=filters,
        parallelism=int(parallelism),
        delivery=_delivery(manifest if "delivery" in manifest.document["spec"] else broker, services),
    )


def _delivery(manifest: Manifest, services: Mapping[str, Service]) -> Delivery:
    """Read a delivery block. A Trigger inherits the Broker's whole, or nothing of it."""
    said = manifest.get("spec.delivery", dict, {})
    if not said:
        raise manifest.invalid(
            "neither the Trigger nor the Broker says spec.delivery: what fails would stop the Trigger"
        )
    policy = manifest.get("spec.delivery.backoffPolicy", str, "exponential")
    if policy not in {"exponential", "linear"}:
        raise manifest.invalid(f"spec.delivery.backoffPolicy is {policy!r}")
    sink = manifest.service("spec.delivery.deadLetterSink", services) if "deadLetterSink" in said else None
    return Delivery(
        retry=manifest.get("spec.delivery.retry", int, RETRIES_UNSAID),
        backoff_policy=policy,
        backoff_seconds=_seconds(manifest, "backoffDelay", "PT0.05S"),
        timeout_seconds=_seconds(manifest, "timeout", "P1D"),
        dead_letter_service=sink,
    )


def _seconds(manifest: Manifest, field: str, default: str) -> float:
    try:
        return duration_seconds(manifest.get(f"spec.delivery.{field}", str, default))
    except ValueError as broken:
        raise manifest.invalid(f"spec.delivery.{field}: {broken}") from None
