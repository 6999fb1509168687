from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infrastructure.local import manifests
from infrastructure.local.manifests import DEFAULT_FOLDER, ManifestInvalid
from infrastructure.local.records import QueueSource, duration_seconds
from infrastructure.local.sources import MIN_PREFETCH
from infrastructure.rabbitmq.generate import FILES, ROOT
from shared.broker import topology
from shared.serve import load
from shared.settings import Settings
from shared.step import Step

QUEUE_PROXY_WAITS_PER_SLOT = 10
CONSUMER_TIMEOUT_SECONDS = 30 * 60


def documents(pattern: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(DEFAULT_FOLDER.glob(pattern)):
        for document in yaml.safe_load_all(path.read_text()):
            yield path.relative_to(DEFAULT_FOLDER).as_posix(), document


def is_triggered(name: str) -> bool:
    """Whether a function takes CloudEvents, rather than calls of clients."""
    return isinstance(load(name).FUNCTION, Step)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEFAULT_FOLDER, tmp_path / "knative"))


def edit(folder: Path, name: str, old: str, new: str) -> Path:
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


def test_every_function_that_is_triggered_has_a_source() -> None:
    known = manifests.read()

    fed = {source.service for source in known.queue_sources}
    fed |= {source.service for source in known.ping_sources}

    assert fed == {name for name in known.services if is_triggered(name)}


def test_every_function_in_the_tree_has_a_service() -> None:
    doors = {path.parent.name.replace("_", "-") for path in (ROOT / "functions").glob("*/main.py")}

    assert doors <= set(manifests.read().services)


def test_every_source_reads_a_work_queue_and_no_queue_has_two() -> None:
    queues = [source.queue for source in manifests.read().queue_sources]

    assert set(queues) <= set(topology.WORK_QUEUES)
    assert len(queues) == len(set(queues))


def test_a_source_whose_file_is_deleted_does_not_run(folder: Path) -> None:
    (folder / "sources" / "saga-commands-email.yaml").unlink()

    queues = {source.queue for source in manifests.read(folder).queue_sources}

    assert topology.EVENTS in queues
    assert "saga.commands.email" not in queues


@pytest.mark.parametrize("path", sorted(FILES))
def test_the_generated_files_say_what_the_table_of_queues_says(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == FILES[path](), "run python -m infrastructure.rabbitmq.generate"


def test_the_policy_without_a_delivery_limit_covers_every_queue_of_ours_and_no_other() -> None:
    (_, policy), *_ = documents("topology/policies.yaml")
    pattern = policy["spec"]["pattern"]

    assert all(re.search(pattern, queue.name) for queue in topology.queues())
    assert not re.search(pattern, "amq.gen-JzTY20BRgKO")
    assert policy["spec"]["definition"] == {"delivery-limit": -1}


def test_the_list_for_kubectl_names_every_manifest() -> None:
    listed = yaml.safe_load((DEFAULT_FOLDER / "kustomization.yaml").read_text())["resources"]
    there = {path.relative_to(DEFAULT_FOLDER).as_posix() for path in DEFAULT_FOLDER.glob("*/*.yaml")}

    assert set(listed) == there | {"gateway.yaml", "namespace.yaml", "network.yaml"}


@pytest.mark.parametrize(("file", "service"), list(documents("services/*.yaml")))
def test_a_service_keeps_to_what_serving_allows(file: str, service: dict[str, Any]) -> None:
    template = service["spec"]["template"]
    (container,) = template["spec"]["containers"]
    name = service["metadata"]["name"]
    variables = {variable["name"] for variable in container["env"]}

    assert file == f"services/{name}.yaml"
    assert container["args"] == ["serve", name]
    assert container["image"] == "carillon"
    assert not variables & {"PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"}
    assert variables - {"HOST"} <= {field.upper() for field in Settings.model_fields}
    assert all(isinstance(value, str) for value in template["metadata"]["annotations"].values())
    assert all(key.startswith("autoscaling.knative.dev/") for key in template["metadata"]["annotations"])
    assert "annotations" not in service["metadata"]
    assert len(container["ports"]) == 1
    assert template["spec"]["timeoutSeconds"] <= 600
    assert "responseStartTimeoutSeconds" in template["spec"], "600 s would silently set it to 300"
    assert 0 <= template["spec"]["containerConcurrency"] <= 1000


def test_a_socket_is_not_cut_before_the_longest_time_that_serving_allows() -> None:
    (realtime,) = [spec for file, spec in documents("services/*.yaml") if file == "services/realtime.yaml"]
    revision = realtime["spec"]["template"]["spec"]

    assert (revision["timeoutSeconds"], revision["responseStartTimeoutSeconds"]) == (600, 0)


def test_what_no_client_calls_cannot_be_reached_from_outside_the_cluster() -> None:
    services = manifests.read().services.values()

    assert all(service.public != is_triggered(service.name) for service in services)


def test_a_source_never_has_more_events_in_hand_than_its_function_lets_wait() -> None:
    most = {
        service["metadata"]["name"]: (
            service["spec"]["template"]["spec"]["containerConcurrency"]
            * int(service["spec"]["template"]["metadata"]["annotations"]["autoscaling.knative.dev/max-scale"])
            * QUEUE_PROXY_WAITS_PER_SLOT
        )
        for _, service in documents("services/*.yaml")
    }
    in_hand = dict.fromkeys(most, 0)

    for source in manifests.read().queue_sources:
        in_hand[source.service] += source.parallelism

    assert all(in_hand[name] <= most[name] for name in most)


def test_retries_in_a_source_end_before_a_message_waits_too_long_for_its_acknowledgement() -> None:
    known = manifests.read()

    for source in known.queue_sources:
        waits = sum(source.wait_seconds(retry) for retry in range(1, source.retry + 1))
        calls = (source.retry + 1) * known.services[source.service].timeout_seconds

        assert waits <= 10
        assert MIN_PREFETCH * (waits + calls) / source.parallelism < CONSUMER_TIMEOUT_SECONDS


@pytest.mark.parametrize(
    ("name", "old", "new", "why"),
    [
        ("sources/events-main.yaml", "predeclared: true", "predeclared: false", "predeclared"),
        ("sources/events-main.yaml", "PT0.5S", "500ms", "ISO-8601"),
        ("sources/events-main.yaml", "parallelism: 100", "parallelism: 0", "parallelism"),
        ("sources/events-main.yaml", "parallelism: 100", "parallelism: 1001", "parallelism"),
        ("sources/events-main.yaml", "parallelism: 100", "parallelism: true", "parallelism"),
        ("sources/events-main.yaml", "backoffPolicy: exponential", "backoffPolicy: sometimes", "backoffPolicy"),
        ("sources/events-main.yaml", "queueName: events.main", "name: events.main", "queueName is missing"),
        ("sources/events-main.yaml", "name: orchestrate", "name: orchestra", "has no Service"),
        ("sources/events-main.yaml", "kind: RabbitmqSource", "kind: KafkaSource", "KafkaSource"),
        ("sources/events-main.yaml", "spec:", "spec: [", "cannot be read"),
        ("sources/sweep.yaml", '"*/5 * * * * *"', '"@every 5s"', "schedule"),
        ("sources/sweep.yaml", 'data: "{}"', 'data: "[]"', "JSON object"),
        ("sources/sweep.yaml", 'data: "{}"', "timezone: Asia/Kathmandu", "timezone"),
        ("services/sweep.yaml", "timeoutSeconds: 120", "timeoutSeconds: soon", "timeoutSeconds"),
        ("gateway.yaml", "hostname: ingest.", "hostname: guest.", "has no Service"),
        ("gateway.yaml", "hostname: ingest.", "hostname: compensate.", "cluster-local"),
        ("gateway.yaml", "type: PathPrefix", "type: RegularExpression", "PathPrefix"),
        ("gateway.yaml", "type: URLRewrite\n          urlRewrite", "type: X\n          else", "URLRewrite"),
    ],
)
def test_a_manifest_that_cannot_work_is_refused_by_the_name_of_its_file(
    folder: Path, name: str, old: str, new: str, why: str
) -> None:
    path = edit(folder, name, old, new)

    with pytest.raises(ManifestInvalid, match=why) as refused:
        manifests.read(folder)

    assert str(refused.value).startswith(str(path))


def test_a_folder_without_manifests_is_told() -> None:
    with pytest.raises(ManifestInvalid, match="is missing"):
        manifests.read(Path("/nowhere"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT0.5S", 0.5), ("PT2S", 2), ("PT1M30S", 90), ("PT1H", 3600), ("P1DT1S", 86401), ("P1D", 86400)],
)
def test_a_duration_is_read_as_iso_8601_has_it(text: str, seconds: float) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "200ms", "1s", "PT1", "P1M", "pt1s", "PT-1S"])
def test_what_would_stop_the_adapter_at_its_first_retry_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="ISO-8601"):
        duration_seconds(text)


@pytest.mark.parametrize(("policy", "waits"), [("exponential", [1.0, 2.0, 4.0]), ("linear", [0.5, 1.0, 1.5])])
def test_the_waits_between_retries_are_those_of_the_adapter(policy: str, waits: list[float]) -> None:
    source = QueueSource(name="a", queue="a", service="a", backoff_policy=policy, backoff_seconds=0.5)

    assert [source.wait_seconds(retry) for retry in (1, 2, 3)] == waits
