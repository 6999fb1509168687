"""The compose file: consistent in itself, and with the manifests, the settings and the commands."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
import yaml

from infrastructure.cli.main import main
from infrastructure.local import manifests
from infrastructure.rabbitmq.generate import ROOT, definitions
from infrastructure.sandbox import onesignal, telegram
from infrastructure.sandbox.twilio import SMS_SENDER, TWILIO, WHATSAPP_SENDER
from shared.serve import load
from shared.settings import Settings
from shared.step import Api
from tests.contract.compose import FILE, FOLDER, Service, document, services

PUBLISHED = {
    "gateway": {8000},
    "rabbitmq": {5672, 15672},
    "postgres": {5432},
    "prometheus": {9090},
    "grafana": {3000},
}
ONCE = {"migrate"}
HELPERS = {"migrate", "sources", "gateway", "sandbox"}
SERVICES = services()
OURS = sorted(name for name, service in SERVICES.items() if service.is_ours)
FUNCTIONS = sorted(manifests.read().services)
RESERVED_CONNECTIONS = 20


def of_ours(name: str) -> Service:
    return SERVICES[name]


def is_api(function: str) -> bool:
    return isinstance(load(function).FUNCTION, Api)


def test_every_function_of_the_manifests_is_a_service_of_its_own() -> None:
    assert sorted(set(OURS) - HELPERS) == FUNCTIONS
    assert [name for name in FUNCTIONS if of_ours(name).command != ("serve", name)] == []


@pytest.mark.parametrize("name", OURS)
def test_a_command_is_one_that_the_command_line_understands(name: str) -> None:
    word, *rest = of_ours(name).command

    context = main.commands[word].make_context(word, list(rest), parent=click.Context(main))

    assert context.params


@pytest.mark.parametrize("name", OURS)
def test_one_of_ours_runs_without_rights_ends_in_order_and_is_started_again(name: str) -> None:
    said = of_ours(name).document

    assert said["build"] == {"context": "..", "dockerfile": "infrastructure/container/Dockerfile"}
    assert (FOLDER / said["build"]["context"] / said["build"]["dockerfile"]).is_file()
    assert (said["init"], said["read_only"], said["tmpfs"]) == (True, True, ["/tmp"])
    assert (said["cap_drop"], said["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert said["stop_grace_period"] == "60s"
    assert said["restart"] == ("no" if name in ONCE else "unless-stopped")


@pytest.mark.parametrize("name", OURS)
def test_what_one_of_ours_is_told_are_settings_that_can_be_read(name: str) -> None:
    environment = of_ours(name).environment

    assert set(environment) <= {field.upper() for field in Settings.model_fields}
    Settings.model_validate({key.lower(): value for key, value in environment.items() if value})


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_gets_the_settings_that_its_manifest_names(name: str) -> None:
    (service,) = [
        one
        for one in yaml.safe_load_all((ROOT / f"knative/base/services/{name}.yaml").read_text())
        if one["metadata"]["name"] == name
    ]
    (container,) = service["spec"]["template"]["spec"]["containers"]
    secrets = {variable["name"] for variable in container["env"] if "valueFrom" in variable}

    assert secrets <= set(of_ours(name).environment)


def test_the_api_is_open_where_clients_come_in_and_nowhere_else() -> None:
    is_open = {name for name in SERVICES if of_ours(name).environment.get("API_OPEN") == "true"}

    assert is_open == {name for name in FUNCTIONS if is_api(name)} | {"sandbox"}


def test_no_other_file_of_ours_opens_the_api() -> None:
    places = [ROOT / "infrastructure" / "container", ROOT / "infrastructure" / "openfaas", ROOT / "knative"]
    files = [path for place in places for path in place.rglob("*") if path.is_file() and path.suffix != ".pyc"]

    assert [path for path in files if re.search(r"API_OPEN\W+true", path.read_text())] == []


def test_keys_in_the_environment_close_it() -> None:
    with_keys = services(API_KEYS="acme:a-key")["ingest"].environment

    settings = Settings.model_validate({name.lower(): value for name, value in with_keys.items() if value})

    assert not settings.api_is_open()


def test_what_is_published_is_bound_to_this_machine_and_is_what_users_expect() -> None:
    found: dict[str, set[int]] = {}
    for name, service in SERVICES.items():
        for port in service.ports:
            address, outside, inside = port.split(":")
            assert (address, outside) == ("127.0.0.1", inside)
            found.setdefault(name, set()).add(int(outside))

    assert found == PUBLISHED


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_whom_a_service_waits_for_is_there_and_can_be_what_it_waits_for(name: str) -> None:
    for other, condition in SERVICES[name].depends_on.items():
        if condition == "service_completed_successfully":
            assert other in ONCE
        else:
            assert condition == "service_healthy"
            assert SERVICES[other].is_ours or "healthcheck" in SERVICES[other].document


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_asked_for_its_health_unless_it_ends(name: str) -> None:
    said = SERVICES[name].document

    if name in ONCE:
        assert said["healthcheck"] == {"disable": True}
    elif not SERVICES[name].is_ours:  # ours have it in their image
        assert said["healthcheck"]["test"][0] == "CMD"
    if not SERVICES[name].is_ours:
        assert re.search(r":v?\d+\.\d+|:\d+-", SERVICES[name].image), "an image without a version"


def test_what_is_kept_is_in_a_volume_with_a_name_and_every_one_is_used() -> None:
    mounts = [volume.split(":")[0] for service in SERVICES.values() for volume in service.volumes]
    named = {mount for mount in mounts if not mount.startswith(".")}

    assert named == set(document()["volumes"]) == {"postgres", "rabbitmq", "prometheus", "grafana"}


def test_what_is_mounted_from_here_is_here_and_read_only() -> None:
    for service in SERVICES.values():
        for volume in [volume for volume in service.volumes if volume.startswith(".")]:
            source, _, mode = volume.split(":")
            assert mode == "ro", volume
            assert (FOLDER / source).exists(), volume


def test_every_address_in_the_environment_is_a_service_that_listens_there() -> None:
    listening = {name: of_ours(name).port for name in OURS}
    ports = {**{name: {port} for name, port in listening.items()}, "postgres": {5432}, "rabbitmq": {5672}}
    ports |= {"redis": {6379}, "sandbox": {8080, 1025, 8081}}

    for name, service in SERVICES.items():
        urls = [value for value in service.environment.values() if "://" in value]
        for url in [urlsplit(url) for url in urls if "localhost" not in url]:
            assert url.port in ports[str(url.hostname)], f"{name}: {url.hostname}:{url.port}"


def test_the_stand_ins_are_told_what_their_callers_are_told() -> None:
    sms, push, chat = (SERVICES[f"deliver-{name}"].environment for name in ("sms", "push", "telegram"))

    assert sms["TWILIO_ACCOUNT_SID"] == TWILIO.account_sid
    assert sms["TWILIO_AUTH_TOKEN"] == SERVICES["sandbox"].environment["TWILIO_AUTH_TOKEN"]
    assert (sms["TWILIO_SMS_FROM"], sms["TWILIO_WHATSAPP_FROM"]) == (SMS_SENDER, WHATSAPP_SENDER)
    assert (push["ONESIGNAL_APP_ID"], push["ONESIGNAL_API_KEY"]) == (onesignal.APP, onesignal.API_KEY)
    assert chat["TELEGRAM_BOT_TOKEN"] == telegram.TOKEN


def test_postgres_has_a_connection_for_every_one_that_the_functions_may_open() -> None:
    command = " ".join(SERVICES["postgres"].command)
    (most,) = re.findall(r"max_connections=(\d+)", command)
    wanted = sum(int(of_ours(name).environment["DATABASE_POOL_MAX"]) for name in FUNCTIONS)

    assert wanted + RESERVED_CONNECTIONS <= int(most)


def test_the_broker_of_the_compose_file_knows_its_user_by_the_password_that_everybody_is_told() -> None:
    (user,) = json.loads((FOLDER / "rabbitmq" / "users.json").read_text())["users"]
    written = base64.b64decode(user["password_hash"])
    salt, digest = written[:4], written[4:]

    assert user["name"] == "guest"
    assert hashlib.sha256(salt + b"guest").digest() == digest
    assert "definitions.json" in " ".join(SERVICES["rabbitmq"].volumes)
    assert (FOLDER / "rabbitmq" / "definitions.json").read_text() == definitions()


def scraped() -> list[tuple[str, str]]:
    """List the targets that Prometheus is told to scrape."""
    told: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yml").read_text())
    return [
        (str(target).partition(":")[0], str(target).partition(":")[2])
        for job in told["scrape_configs"]
        for static in job.get("static_configs", ())
        for target in static["targets"]
    ]


def test_what_prometheus_scrapes_is_a_service_that_listens_there() -> None:
    others = {"rabbitmq": "15692", "prometheus": "9090", "localhost": "9090"}

    assert {name for name, _ in scraped()} >= set(FUNCTIONS)
    for name, port in scraped():
        assert port == (str(of_ours(name).port) if name in OURS else others[name]), name


def test_grafana_finds_its_dashboards_where_they_are_mounted_and_prometheus_by_its_name() -> None:
    told = [yaml.safe_load(file.read_text()) for file in (FOLDER / "grafana" / "provisioning").glob("*/*.yml")]
    mounted = {volume.split(":")[1] for volume in SERVICES["grafana"].volumes}

    assert len(told) >= 2
    for said in told:
        for provider in said.get("providers", ()):
            assert provider["options"]["path"] in mounted
        for source in said.get("datasources", ()):
            assert source["url"] == "http://prometheus:9090"


def test_the_file_says_where_to_look() -> None:
    head = FILE.read_text().partition("\nx-")[0]
    ports = sorted(port for ports in PUBLISHED.values() for port in ports if port != 5672)

    assert [port for port in ports if f"localhost:{port}" not in head] == []
    assert Path(FILE).parent.name == "infrastructure"
