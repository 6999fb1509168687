"""Read the manifests in `knative/`, the same files that the cluster applies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from infrastructure.local import kustomizing
from infrastructure.local.manifest import Manifest, ManifestInvalid
from infrastructure.local.records import (
    MAX_PARALLELISM,
    Manifests,
    PingSource,
    QueueSource,
    Route,
    Service,
    duration_seconds,
)
from infrastructure.local.schedule import Schedule, ScheduleInvalid
from infrastructure.local.trigger_manifests import read_broker

__all__ = ["DEFAULT_FOLDER", "ManifestInvalid", "Manifests", "PingSource", "QueueSource", "Route", "Service", "read"]

DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "knative" / "base"
VISIBILITY = "networking.knative.dev/visibility"


def read(folder: Path = DEFAULT_FOLDER) -> Manifests:
    """Read services/, sources/ and gateway.yaml of a folder, or what its kustomization puts together from others.

    What has no file does not run.

    Raises:
        ManifestInvalid: a file is no YAML, breaks a rule of its kind, or names a Service that is not there.
    """
    found = kustomizing.build(folder) if kustomizing.is_overlay(folder) else list(_listed(folder))
    services = {one.name: one for one in map(_service, _of_kind(found, "Service", "serving.knative.dev"))}
    sources = []
    for manifest in found:
        if manifest.group == "sources.knative.dev":
            reader = SOURCE_KINDS.get(manifest.kind)
            if reader is None:
                raise manifest.invalid(f"the local runtime does not know the kind {manifest.kind}")
            sources.append(reader(manifest, services))
    broker, triggers = read_broker(found, services)
    return Manifests(
        services=services,
        queue_sources=tuple(source for source in sources if isinstance(source, QueueSource)),
        ping_sources=tuple(source for source in sources if isinstance(source, PingSource)),
        routes=tuple(_routes(found, services)),
        broker=broker,
        triggers=triggers,
        folder=folder,
    )


def _listed(folder: Path) -> Iterator[Manifest]:
    for place in (folder / "services", folder / "sources"):
        if not place.is_dir():
            raise ManifestInvalid(place, "is missing")
        for path in sorted(place.glob("*.yaml")):
            yield from kustomizing.documents(path)
    yield from kustomizing.documents(folder / "gateway.yaml")


def _of_kind(found: Iterable[Manifest], kind: str, group: str) -> Iterator[Manifest]:
    return (one for one in found if (one.kind, one.group) == (kind, group))


def _service(manifest: Manifest) -> Service:
    return Service(
        name=manifest.get("metadata.name", str),
        concurrency=manifest.get("spec.template.spec.containerConcurrency", int, 0),
        timeout_seconds=manifest.get("spec.template.spec.timeoutSeconds", int, 300),
        public=manifest.get("metadata.labels", dict, {}).get(VISIBILITY) != "cluster-local",
    )


def _queue_source(manifest: Manifest, services: dict[str, Service]) -> QueueSource:
    if not manifest.get("spec.rabbitmqResourcesConfig.predeclared", bool, False):
        raise manifest.invalid("spec.rabbitmqResourcesConfig.predeclared must be true: the queues are ours")
    parallelism = manifest.get("spec.rabbitmqResourcesConfig.parallelism", int, 1)
    if not 1 <= parallelism <= MAX_PARALLELISM:
        raise manifest.invalid(f"spec.rabbitmqResourcesConfig.parallelism is {parallelism}, not 1 to {MAX_PARALLELISM}")
    policy = manifest.get("spec.delivery.backoffPolicy", str, "exponential")
    if policy not in {"exponential", "linear"}:
        raise manifest.invalid(f"spec.delivery.backoffPolicy is {policy!r}")
    try:
        backoff_seconds = duration_seconds(manifest.get("spec.delivery.backoffDelay", str, "PT0.2S"))
    except ValueError as broken:
        raise manifest.invalid(f"spec.delivery.backoffDelay: {broken}") from None
    return QueueSource(
        name=manifest.get("metadata.name", str),
        namespace=manifest.get("metadata.namespace", str, "default"),
        queue=manifest.get("spec.rabbitmqResourcesConfig.queueName", str),
        service=manifest.service("spec.sink", services),
        parallelism=parallelism,
        retry=manifest.get("spec.delivery.retry", int, 0),
        backoff_policy=policy,
        backoff_seconds=backoff_seconds,
    )


def _ping_source(manifest: Manifest, services: dict[str, Service]) -> PingSource:
    schedule = manifest.get("spec.schedule", str, "* * * * *")
    try:
        Schedule.parse(schedule)
    except ScheduleInvalid as broken:
        raise manifest.invalid(f"spec.schedule: {broken}") from None
    if manifest.get("spec.timezone", str, "UTC") != "UTC":
        raise manifest.invalid("spec.timezone: the local runtime ticks in UTC only")
    data = manifest.get("spec.data", str, "{}")
    try:
        is_object = isinstance(json.loads(data), dict)
    except ValueError:
        is_object = False
    if not is_object:
        raise manifest.invalid("spec.data must be a JSON object")
    return PingSource(
        name=manifest.get("metadata.name", str),
        namespace=manifest.get("metadata.namespace", str, "default"),
        schedule=schedule,
        service=manifest.service("spec.sink", services),
        data=data,
    )


SOURCE_KINDS: dict[Any, Callable[[Manifest, dict[str, Service]], QueueSource | PingSource]] = {
    "RabbitmqSource": _queue_source,
    "PingSource": _ping_source,
}


def _routes(found: Iterable[Manifest], services: dict[str, Service]) -> Iterator[Route]:
    for manifest in _of_kind(found, "HTTPRoute", "gateway.networking.k8s.io"):
        for rule in manifest.get("spec.rules", list):
            yield from _rule(Manifest(manifest.path, rule), services)


def _rule(rule: Manifest, services: dict[str, Service]) -> Iterator[Route]:
    service = _rewritten_to(rule)
    if service not in services:
        raise rule.invalid(f"a rule goes to {service}, which has no Service")
    if not services[service].public:
        raise rule.invalid(f"a rule goes to {service}, which is cluster-local: no client may reach it")
    for entry in rule.get("matches", list):
        match = Manifest(rule.path, entry)
        if match.get("path.type", str, "PathPrefix") != "PathPrefix":
            raise rule.invalid("the local runtime knows path matches of the type PathPrefix only")
        method = match.get("method", str, "")
        methods = frozenset({method}) if method else frozenset()
        yield Route(prefix=match.get("path.value", str), service=service, methods=methods)


def _rewritten_to(rule: Manifest) -> str:
    """Return the Service that the rule's host name stands for: SERVICE.NAMESPACE.svc.cluster.local."""
    for entry in rule.get("filters", list, []):
        hostname: str = Manifest(rule.path, entry).get("urlRewrite.hostname", str, "")
        if hostname:
            return hostname.partition(".")[0]
    raise rule.invalid("a rule has no URLRewrite filter with the host name of a Service")
