"""The overlay for a Knative Broker: as many Triggers as queues, each of them whole, and nothing left of our queues."""

from __future__ import annotations

from typing import Any

import pytest

from infrastructure.local.records import duration_seconds
from infrastructure.rabbitmq.generate import ROOT
from shared.broker.topology import QUEUE_ATTRIBUTE, WORK_QUEUES
from tests.contract.rendering import KNATIVE, Object, documents, name, render

OVERLAY = KNATIVE / "overlays" / "broker"
SERVICE = "serving.knative.dev/v1"
PARALLELISM = "rabbitmq.eventing.knative.dev/parallelism"
PREFETCH = 100
CONSUMER_TIMEOUT_SECONDS = 30 * 60
GONE = {"RabbitmqSource", "Exchange", "Queue", "Binding", "Policy", "User", "Permission"}
SWEEP = {"apiVersion": SERVICE, "kind": "Service", "name": "sweep", "namespace": "carillon"}

TRIGGERS = [(file, document) for file, document in documents(OVERLAY / "triggers")]
triggers = pytest.mark.parametrize(("file", "trigger"), TRIGGERS)
kustomize = pytest.mark.kustomize


def base(kind: str, folder: str) -> dict[str, Object]:
    """Read the base's objects of a kind, by name."""
    found = [document for _, document in documents(KNATIVE / "base" / folder) if document["kind"] == kind]
    return {document["metadata"]["name"]: document for document in found}


def rendered(kind: str, version: str = "") -> dict[str, Object]:
    """List the overlay's objects of a kind, by name, as the cluster would get them."""
    found = [document for document in render(OVERLAY) if document["kind"] == kind]
    return {document["metadata"]["name"]: document for document in found if document["apiVersion"].startswith(version)}


def queue(trigger: Object) -> Any:
    """Name the work queue that a Trigger stands for."""
    return trigger["spec"]["filter"]["attributes"].get(QUEUE_ATTRIBUTE)


def test_every_work_queue_has_one_trigger() -> None:
    assert sorted(queue(trigger) for _, trigger in TRIGGERS) == sorted(WORK_QUEUES)


@triggers
def test_a_trigger_brings_to_a_function_what_the_bases_source_brings_it(file: str, trigger: Object) -> None:
    source = base("RabbitmqSource", "sources")[trigger["metadata"]["name"]]["spec"]

    assert file == f"knative/overlays/broker/triggers/{trigger['metadata']['name']}.yaml"
    assert queue(trigger) == source["rabbitmqResourcesConfig"]["queueName"]
    assert trigger["spec"]["subscriber"]["ref"] == {**source["sink"]["ref"], "namespace": "carillon"}
    assert trigger["metadata"]["annotations"] == {PARALLELISM: str(source["rabbitmqResourcesConfig"]["parallelism"])}


@triggers
def test_a_trigger_filters_by_the_queue_alone_in_the_only_way_that_works(file: str, trigger: Object) -> None:
    assert "filters" not in trigger["spec"], "which RabbitMQ's broker ignores: the Trigger would get everything"
    assert list(trigger["spec"]["filter"]["attributes"]) == [QUEUE_ATTRIBUTE]


@triggers
def test_a_trigger_says_all_of_its_delivery_for_it_inherits_nothing(file: str, trigger: Object) -> None:
    delivery = trigger["spec"]["delivery"]

    assert set(delivery) == {"deadLetterSink", "retry", "backoffPolicy", "backoffDelay", "timeout"}
    assert delivery["deadLetterSink"] == {"ref": SWEEP}
    assert delivery["backoffPolicy"] == "exponential"


@triggers
def test_a_trigger_waits_longer_than_its_function_may_take(file: str, trigger: Object) -> None:
    function = base("Service", "services")[trigger["spec"]["subscriber"]["ref"]["name"]]

    timeout = duration_seconds(trigger["spec"]["delivery"]["timeout"])

    assert timeout > function["spec"]["template"]["spec"]["timeoutSeconds"]


@triggers
def test_what_a_dispatcher_has_in_hand_is_done_before_rabbitmq_takes_it_back(file: str, trigger: Object) -> None:
    delivery = trigger["spec"]["delivery"]
    calls = (delivery["retry"] + 1) * duration_seconds(delivery["timeout"])
    waits = sum(duration_seconds(delivery["backoffDelay"]) * 2**n for n in range(1, delivery["retry"] + 1))
    parallelism = int(trigger["metadata"]["annotations"][PARALLELISM])

    assert PREFETCH * (calls + waits) / parallelism < CONSUMER_TIMEOUT_SECONDS


def test_the_kustomization_lists_every_trigger() -> None:
    text = (OVERLAY / "kustomization.yaml").read_text()

    assert [file for file, _ in TRIGGERS if f"- {file.removeprefix('knative/overlays/broker/')}\n" not in text] == []


@kustomize
def test_nothing_of_our_own_queues_is_left() -> None:
    assert [name(document) for document in render(OVERLAY) if document["kind"] in GONE] == []
    assert "AMQP_URL" not in str(render(OVERLAY))
    assert set(rendered("RabbitmqCluster")) == {"rabbitmq"}


@kustomize
def test_every_function_posts_to_the_broker_of_the_overlay() -> None:
    (broker,) = rendered("Broker").values()
    address = f"http://{broker['metadata']['name']}-broker-ingress.{broker['metadata']['namespace']}.svc.cluster.local"
    functions = rendered("Service", SERVICE)

    assert set(functions) == set(base("Service", "services"))
    for function in functions.values():
        (container,) = function["spec"]["template"]["spec"]["containers"]
        sinks = [variable for variable in container["env"] if variable["name"] == "K_SINK"]
        assert sinks == [{"name": "K_SINK", "value": address}], name(function)


@kustomize
def test_what_the_broker_and_its_triggers_name_is_there() -> None:
    (broker,) = rendered("Broker").values()
    config = broker["spec"]["config"]
    cluster = rendered(config["kind"])[config["name"]]["spec"]["rabbitmqClusterReference"]

    assert broker["metadata"]["annotations"] == {"eventing.knative.dev/broker.class": "RabbitMQBroker"}
    assert (config["kind"], config["namespace"]) == ("RabbitmqBrokerConfig", "carillon")
    assert cluster["name"] in rendered("RabbitmqCluster")
    assert broker["spec"]["delivery"]["deadLetterSink"] == {"ref": SWEEP}
    assert len(rendered("Trigger")) == len(WORK_QUEUES)
    for trigger in rendered("Trigger").values():
        assert trigger["spec"]["broker"] == broker["metadata"]["name"]
        assert trigger["spec"]["subscriber"]["ref"]["name"] in rendered("Service", SERVICE)
        assert trigger["spec"]["delivery"]["deadLetterSink"]["ref"]["name"] in rendered("Service", SERVICE)


@kustomize
def test_what_is_due_is_looked_for_every_second_by_a_sweep_that_is_there() -> None:
    sweep = rendered("Service", SERVICE)["sweep"]["spec"]["template"]

    assert rendered("PingSource")["sweep"]["spec"]["schedule"] == "* * * * * *"
    assert sweep["metadata"]["annotations"]["autoscaling.knative.dev/min-scale"] == "1"
    assert sweep["spec"]["containerConcurrency"] >= max(
        int(trigger["metadata"]["annotations"][PARALLELISM]) for _, trigger in TRIGGERS
    ), "or a dead letter would meet a full queue, and be dropped"


@kustomize
def test_functions_and_dispatchers_reach_the_brokers_ingress() -> None:
    (broker,) = rendered("Broker")
    policy = rendered("NetworkPolicy")["broker-ingress"]["spec"]

    assert policy["podSelector"]["matchLabels"] == {
        "eventing.knative.dev/broker": broker,
        "eventing.knative.dev/brokerRole": "ingress",
    }
    (rule,) = policy["ingress"]
    assert {"podSelector": {}} in rule["from"]
    assert rule["ports"] == [{"port": 8080}]


@kustomize
def test_the_overlay_is_as_large_as_production_and_says_the_same_settings() -> None:
    production = {
        document["metadata"]["name"]: document["spec"]["template"]
        for document in render(ROOT / "knative" / "overlays" / "production")
        if document["apiVersion"] == SERVICE
    }

    for function, document in rendered("Service", SERVICE).items():
        ours, theirs = document["spec"]["template"], production[function]
        assert ours["metadata"]["annotations"] == theirs["metadata"]["annotations"], function
        for field in ("image", "resources", "envFrom"):
            assert ours["spec"]["containers"][0][field] == theirs["spec"]["containers"][0][field], function
