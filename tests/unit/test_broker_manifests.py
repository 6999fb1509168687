"""The overlay with a Broker, as the local runtime reads it."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from infrastructure.local import manifests
from infrastructure.local.kustomizing import build
from infrastructure.local.manifests import DEFAULT_FOLDER, ManifestInvalid
from infrastructure.local.records import Delivery, Manifests, Trigger
from shared.broker.topology import EVENTS, WORK_QUEUES
from shared.statuses import Channel

KUSTOMIZATION = "kustomization.yaml"
TRIGGER = "triggers/events-main.yaml"
BROKER = "broker.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of knative/, to be changed; its overlay."""
    return Path(shutil.copytree(DEFAULT_FOLDER.parent, tmp_path / "knative")) / "overlays" / "broker"


@pytest.fixture(scope="module")
def known() -> Manifests:
    """The overlay as it is."""
    return manifests.read(DEFAULT_FOLDER.parent / "overlays" / "broker")


def edit(path: Path, old: str, new: str) -> Path:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    return path


def queues(known: Manifests) -> set[str | None]:
    return {trigger.queue for trigger in known.triggers}


def test_the_overlay_has_a_trigger_where_the_base_has_a_source(known: Manifests) -> None:
    base = manifests.read()

    assert known.broker == "carillon"
    assert known.queue_sources == ()
    assert {(t.queue, t.service, t.parallelism) for t in known.triggers} == {
        (source.queue, source.service, source.parallelism) for source in base.queue_sources
    }
    assert (known.routes, set(known.services)) == (base.routes, set(base.services))


def test_a_trigger_is_read_whole(known: Manifests) -> None:
    (first,) = [trigger for trigger in known.triggers if trigger.queue == EVENTS]

    assert first == Trigger(
        name="events-main",
        namespace="carillon",
        service="orchestrate",
        attributes={"carillonqueue": EVENTS},
        parallelism=100,
        delivery=Delivery(
            retry=2, backoff_policy="exponential", backoff_seconds=0.5, timeout_seconds=125, dead_letter_service="sweep"
        ),
    )


def test_the_sweep_ticks_every_second_there(known: Manifests) -> None:
    assert [source.schedule for source in known.ping_sources] == ["* * * * * *"]


def test_a_trigger_whose_file_is_deleted_does_not_run(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / TRIGGER).unlink()

    with caplog.at_level(logging.WARNING):
        known = manifests.read(folder)

    assert queues(known) == set(WORK_QUEUES) - {EVENTS}
    assert [record.__dict__["place"] for record in caplog.records] == ["events-main.yaml"]


def test_a_trigger_that_the_kustomization_does_not_list_does_not_run(folder: Path) -> None:
    edit(folder / KUSTOMIZATION, f"  - {TRIGGER}\n", "")

    assert queues(manifests.read(folder)) == set(WORK_QUEUES) - {EVENTS}


def test_a_channel_that_nothing_is_sent_on_has_no_trigger_and_no_function(known: Manifests) -> None:
    served = known.serving({Channel.EMAIL, Channel.WEBSOCKET})

    assert {trigger.service for trigger in served.triggers} == {"orchestrate", "deliver-email", "push-ws", "compensate"}
    assert set(known.services) - set(served.services) == {
        "deliver-push",
        "deliver-sms",
        "deliver-telegram",
        "deliver-whatsapp",
    }


@pytest.mark.parametrize(
    ("name", "old", "new", "why"),
    [
        (
            TRIGGER,
            "  filter:\n    attributes:\n      carillonqueue",
            "  filters:\n    - exact:\n        x",
            "spec.filters",
        ),
        (TRIGGER, "broker: carillon", "broker: another", "which is not there"),
        (TRIGGER, "carillonqueue: events.main", "carillonqueue: 7", "must have strings"),
        (TRIGGER, 'parallelism: "100"', 'parallelism: "0"', "parallelism"),
        (TRIGGER, "name: orchestrate", "name: orchestra", "spec.subscriber.ref names orchestra"),
        (TRIGGER, "name: sweep", "name: broom", "spec.delivery.deadLetterSink.ref names broom"),
        (TRIGGER, "backoffDelay: PT0.5S", "backoffDelay: 500ms", "backoffDelay"),
        (TRIGGER, "timeout: PT125S", "timeout: soon", "timeout"),
        (TRIGGER, "backoffPolicy: exponential", "backoffPolicy: sometimes", "backoffPolicy"),
        (TRIGGER, "retry: 2", "retry: two", "retry"),
        (BROKER, "RabbitMQBroker", "MTChannelBasedBroker", "behaves as a RabbitMQBroker does"),
        (
            BROKER,
            "    name: carillon\n    namespace: carillon\n  #",
            "    name: carillon\n  #",
            "spec.config.namespace",
        ),
        (KUSTOMIZATION, "images:", "namePrefix: x-\nimages:", "does not know namePrefix"),
        (KUSTOMIZATION, "value: AMQP_URL", "value: HOST", "does not fit Service access.*'AMQP_URL', not 'HOST'"),
        (KUSTOMIZATION, "      kind: RabbitmqSource\n    p", "      labelSelector: x\n    p", "by labelSelector"),
        (KUSTOMIZATION, "      - op: test", "      - [", "cannot be read"),
    ],
)
def test_what_a_cluster_would_ignore_lose_or_refuse_is_refused_by_the_name_of_its_file(
    folder: Path, name: str, old: str, new: str, why: str
) -> None:
    path = edit(folder / name, old, new)

    with pytest.raises(ManifestInvalid, match=why) as refused:
        manifests.read(folder)

    assert str(refused.value).startswith(str(path))


@pytest.mark.parametrize(
    ("name", "old", "new", "why"),
    [
        (BROKER, "kind: Broker\n", "kind: Breaker\n", "triggers/.*: there is no Broker"),
        (KUSTOMIZATION, "kind: RabbitmqSource\n    p", "kind: Rabbitmq\n    p", "sources/.*: nobody publishes"),
        (KUSTOMIZATION, "../../components/monitoring", "../../components/nothing", "nothing/.*: cannot be read"),
        (KUSTOMIZATION, "../../base", "../../bass", "bass/.*: cannot be read"),
    ],
)
def test_what_one_file_says_and_another_one_needs_is_missed_where_it_is_needed(
    folder: Path, name: str, old: str, new: str, why: str
) -> None:
    edit(folder / name, old, new)

    with pytest.raises(ManifestInvalid, match=why):
        manifests.read(folder)


def test_a_patch_that_is_merged_into_several_objects_leaves_each_its_name(folder: Path) -> None:
    merge = "$patch: delete\n      apiVersion: sources.knative.dev/v1alpha1\n      kind: RabbitmqSource"
    change = "spec: {rabbitmqResourcesConfig: {parallelism: 7}}"
    edit(folder / KUSTOMIZATION, merge, f"{change}\n      apiVersion: x/v1\n      kind: Y")

    sources = [one for one in build(folder) if one.kind == "RabbitmqSource"]

    assert {one.get("metadata.name", str) for one in sources} == {
        source.name for source in manifests.read().queue_sources
    }
    assert {one.get("spec.rabbitmqResourcesConfig.parallelism", int) for one in sources} == {7}
    assert {one.get("spec.rabbitmqResourcesConfig.predeclared", bool) for one in sources} == {True}


def test_a_trigger_without_a_delivery_has_the_brokers_whole(folder: Path) -> None:
    trigger = folder / TRIGGER
    trigger.write_text(trigger.read_text().partition("  # All of it")[0])
    edit(folder / BROKER, "retry: 2", "retry: 7")

    (first,) = [trigger for trigger in manifests.read(folder).triggers if trigger.queue == EVENTS]

    assert (first.delivery.retry, first.delivery.dead_letter_service) == (7, "sweep")


def test_a_trigger_with_a_delivery_of_its_own_inherits_nothing(folder: Path) -> None:
    trigger = folder / TRIGGER
    trigger.write_text(trigger.read_text().partition("  # All of it")[0] + "  delivery:\n    timeout: PT1S\n")

    (first,) = [trigger for trigger in manifests.read(folder).triggers if trigger.queue == EVENTS]

    assert first.delivery == Delivery(
        retry=5, backoff_policy="exponential", backoff_seconds=0.05, timeout_seconds=1, dead_letter_service=None
    )


def test_where_nobody_says_what_becomes_of_failures_nothing_starts(folder: Path) -> None:
    trigger = folder / TRIGGER
    trigger.write_text(trigger.read_text().partition("  # All of it")[0])
    broker = folder / BROKER
    head, _, rest = broker.read_text().partition("  # For Triggers")
    broker.write_text(head + rest[rest.index("---") :])

    with pytest.raises(ManifestInvalid, match="neither the Trigger nor the Broker"):
        manifests.read(folder)


def test_a_second_broker_is_refused(folder: Path) -> None:
    broker = folder / BROKER
    first = broker.read_text().partition("---")[0]
    broker.write_text(f"{broker.read_text()}\n---\n{first.replace('name: carillon', 'name: other', 1)}")

    with pytest.raises(ManifestInvalid, match="runs one Broker"):
        manifests.read(folder)
