"""What would be applied to a cluster: every overlay, rendered, object by object."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infrastructure.local import manifests
from infrastructure.rabbitmq.generate import ROOT
from tests.contract import crd_schema
from tests.contract.rendering import KNATIVE, OVERLAYS, Object, documents, kind, name, render, schemas

SERVICE = ("serving.knative.dev/v1", "Service")
WITH_SOCKETS_APART = "overlays/production with components/realtime-deployment"
FILES = sorted({file for file, _ in documents(KNATIVE)})

POD_SPEC = {"spec.template.spec.containers", "spec.selector.matchLabels", "spec.template.metadata.labels"}
OF_KUBERNETES: dict[crd_schema.Kind, set[str]] = {
    ("v1", "Namespace"): set(),
    ("v1", "ConfigMap"): {"data"},
    ("v1", "Secret"): {"data"},
    ("v1", "Service"): {"spec.selector", "spec.ports"},
    ("apps/v1", "Deployment"): POD_SPEC,
    ("apps/v1", "StatefulSet"): POD_SPEC | {"spec.serviceName"},
    ("autoscaling/v2", "HorizontalPodAutoscaler"): {"spec.scaleTargetRef.name", "spec.maxReplicas", "spec.metrics"},
    ("policy/v1", "PodDisruptionBudget"): {"spec.selector.matchLabels"},
    ("networking.k8s.io/v1", "NetworkPolicy"): {"spec.podSelector", "spec.policyTypes"},
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): {"spec.parentRefs", "spec.rules"},
    ("gateway.networking.k8s.io/v1beta1", "ReferenceGrant"): {"spec.from", "spec.to"},
}
"""Kinds of Kubernetes' own and of the Gateway API, and the fields without which the API server refuses them."""

MISSING = object()
RENDERED = [*OVERLAYS, WITH_SOCKETS_APART]
rendered = pytest.mark.parametrize("overlay", RENDERED)

kustomize = pytest.mark.kustomize
crds = pytest.mark.crds


@pytest.fixture
def objects(overlay: str, request: pytest.FixtureRequest) -> tuple[Object, ...]:
    """Render an overlay; one of them also with a component that is offered there."""
    if overlay != WITH_SOCKETS_APART:
        return render(ROOT / overlay)
    apart: tuple[Object, ...] = request.getfixturevalue("with_sockets_apart")
    return apart


@pytest.fixture(scope="module")
def with_sockets_apart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Object, ...]:
    """Render production with its sockets in a Deployment."""
    copy = Path(shutil.copytree(KNATIVE, tmp_path_factory.mktemp("apart") / "knative"))
    file = copy / "overlays" / "production" / "kustomization.yaml"
    offered = "# - ../../components/realtime-deployment"
    assert offered in file.read_text()
    file.write_text(file.read_text().replace(offered, offered.removeprefix("# ")))
    return render(file.parent)


def field(document: Any, place: str) -> Any:
    """Return the field at a dotted place, or MISSING."""
    for part in place.split("."):
        document = document.get(part, MISSING) if isinstance(document, dict) else MISSING
    return document


def containers(document: Object) -> list[Object]:
    """List the containers of whatever runs pods of ours."""
    found = field(document, "spec.template.spec.containers")
    return found if isinstance(found, list) else []


def ours(objects: tuple[Object, ...]) -> Iterator[tuple[Object, Object]]:
    """Go through the containers of our own image, with the object that each belongs to."""
    for document in objects:
        for container in containers(document):
            if "carillon:" in container.get("image", ""):
                yield document, container


def test_there_is_an_overlay_for_development_and_one_for_production() -> None:
    assert {"knative/overlays/development", "knative/overlays/production"} <= set(OVERLAYS)


@pytest.mark.parametrize("file", FILES)
def test_a_file_holds_objects_with_a_kind_a_name_and_our_namespace(file: str) -> None:
    for document in [document for path, document in documents(KNATIVE) if path == file]:
        metadata = document["metadata"]
        place = metadata.get("namespace", metadata["name"] if document["kind"] == "Namespace" else None)
        assert place in ("carillon", "kourier-system"), name(document)


@kustomize
@rendered
def test_no_object_comes_twice(objects: tuple[Object, ...]) -> None:
    names = [(*kind(document), document["metadata"]["name"]) for document in objects]

    assert sorted(names) == sorted(set(names))


@kustomize
@rendered
def test_kinds_of_kubernetes_have_what_the_api_server_demands(objects: tuple[Object, ...]) -> None:
    lacking = [
        f"{name(document)}: {place}"
        for document in objects
        for place in OF_KUBERNETES.get(kind(document), ())
        if field(document, place) in (MISSING, None, "")
    ]

    assert lacking == []


@kustomize
@rendered
def test_what_selects_pods_selects_its_own(objects: tuple[Object, ...]) -> None:
    for document in objects:
        chosen = field(document, "spec.selector.matchLabels")
        labels = field(document, "spec.template.metadata.labels")
        if isinstance(chosen, dict) and isinstance(labels, dict):
            assert chosen.items() <= labels.items(), name(document)


@kustomize
@rendered
def test_every_service_of_the_base_is_rendered_whole(overlay: str, objects: tuple[Object, ...]) -> None:
    there = {document["metadata"]["name"]: document for document in objects if kind(document) == SERVICE}
    wanted = set(manifests.read().services) - ({"realtime"} if overlay == WITH_SOCKETS_APART else set())

    assert set(there) == wanted
    for service, document in there.items():
        (container,) = containers(document)
        assert container["args"] == ["serve", service]
        assert {"env", "envFrom", "ports", "resources", "volumeMounts"} <= set(container)
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)


@kustomize
@rendered
def test_every_container_of_ours_runs_without_rights_and_within_bounds(objects: tuple[Object, ...]) -> None:
    found = list(ours(objects))

    assert found
    for document, container in found:
        assert container["securityContext"] == {
            "runAsNonRoot": True,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }, name(document)
        assert {"requests", "limits"} == set(container["resources"]), name(document)
        assert document["spec"]["template"]["spec"]["automountServiceAccountToken"] is False, name(document)


@kustomize
@rendered
def test_no_image_is_left_to_chance(objects: tuple[Object, ...]) -> None:
    images = [container["image"] for document in objects for container in containers(document)]

    assert [image for image in images if ":" not in image or image.endswith(":latest") or image == "carillon"] == []


@kustomize
@rendered
def test_what_a_container_refers_to_is_there(objects: tuple[Object, ...]) -> None:
    known = {
        (document["kind"], document["metadata"]["name"]): set(document["data"])
        for document in objects
        if document["kind"] in ("ConfigMap", "Secret")
    }
    by_hand = () if ("Secret", "carillon") in known else ("carillon",)

    for document, container in ours(objects):
        for reference in container.get("envFrom", ()):
            assert ("ConfigMap", reference["configMapRef"]["name"]) in known, name(document)
        for variable in container.get("env", ()):
            secret = variable.get("valueFrom", {}).get("secretKeyRef")
            if not secret or secret["name"] in by_hand or secret.get("optional"):
                continue
            assert secret["key"] in known["Secret", secret["name"]], f"{name(document)}: {secret['key']}"


@kustomize
@rendered
def test_a_source_finds_the_function_and_the_queue_that_it_names(objects: tuple[Object, ...]) -> None:
    services = {document["metadata"]["name"] for document in objects if kind(document) == SERVICE}
    queues = {document["spec"]["name"] for document in objects if document["kind"] == "Queue"}
    sources = [document for document in objects if document["kind"] in ("RabbitmqSource", "PingSource")]

    assert sources
    for source in sources:
        assert source["spec"]["sink"]["ref"]["name"] in services, name(source)
        queue = field(source, "spec.rabbitmqResourcesConfig.queueName")
        assert queue is MISSING or queue in queues, name(source)


@kustomize
def test_sockets_apart_are_reached_at_the_same_address(with_sockets_apart: tuple[Object, ...]) -> None:
    (route,) = [document for document in with_sockets_apart if document["kind"] == "HTTPRoute"]
    (deployment,) = [document for document in with_sockets_apart if document["kind"] == "Deployment"]

    (sockets,) = [rule for rule in route["spec"]["rules"] if rule["matches"][0]["path"]["value"] == "/ws"]
    (backend,) = sockets["backendRefs"]
    (service,) = [document for document in with_sockets_apart if name(document) == f"Service {backend['name']}"]

    assert "filters" not in sockets
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert deployment["spec"]["template"]["spec"]["containers"][0]["args"] == ["serve", "realtime"]


@crds
@pytest.mark.parametrize("file", FILES)
def test_every_custom_resource_passes_its_schema_and_loses_no_field(file: str) -> None:
    found = [
        f"{name(document)}: {flaw}"
        for path, document in documents(KNATIVE)
        if path == file and kind(document) in schemas()
        for flaw in crd_schema.flaws(document, schemas()[kind(document)])
    ]

    assert found == []


@kustomize
@crds
@rendered
def test_what_is_rendered_passes_its_schemas_and_nothing_is_of_a_kind_that_nobody_checks(
    objects: tuple[Object, ...],
) -> None:
    found = [
        f"{name(document)}: {flaw}"
        for document in objects
        if kind(document) in schemas()
        for flaw in crd_schema.flaws(document, schemas()[kind(document)])
    ]

    assert found == []
    assert {kind(document) for document in objects} - set(schemas()) - set(OF_KUBERNETES) == set()


@crds
@pytest.mark.parametrize(
    ("file", "old", "new", "flaw"),
    [
        ("sources/events-main.yaml", "parallelism: 100", "parallelism: 1001", "not 1 to 1000"),
        ("sources/events-main.yaml", "retry: 2", "retry: two", "no integer"),
        ("sources/events-main.yaml", "retry: 2", "timeout: PT5S", "pruned"),
        ("services/ingest.yaml", "containerConcurrency: 100", "concurrency: 100", "pruned"),
        ("services/ingest.yaml", "image: carillon", "image: [carillon]", "no string"),
        ("topology/queues.yaml", "name: events.dlq", "called: events.dlq", "name is missing"),
        ("topology/policies.yaml", "applyTo: quorum_queues", "applyTo: all_queues", "none of"),
    ],
)
def test_a_manifest_that_the_api_server_would_refuse_or_prune_is_found(
    file: str, old: str, new: str, flaw: str
) -> None:
    text = (KNATIVE / "base" / file).read_text()
    assert old in text

    broken = next(yaml.safe_load_all(text.replace(old, new, 1)))

    assert any(flaw in found for found in crd_schema.flaws(broken, schemas()[kind(broken)]))
