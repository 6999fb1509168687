"""The OpenFaaS stack file: every function, and nothing that the image or a function does not understand."""

from __future__ import annotations

import re
from typing import Any

import click
import pytest
import yaml

from infrastructure.cli.main import main
from infrastructure.local import manifests
from infrastructure.rabbitmq.generate import ROOT
from shared.settings import Settings
from tests.contract.image import stages

FOLDER = ROOT / "infrastructure" / "openfaas"
STACK: dict[str, Any] = yaml.safe_load((FOLDER / "stack.yml").read_text())
FUNCTIONS: dict[str, dict[str, Any]] = STACK["functions"]
CONNECTOR: dict[str, dict[str, Any]] = {
    container["name"]: container
    for document in yaml.safe_load_all((FOLDER / "connector.yaml").read_text())
    if document["kind"] == "Deployment"
    for container in document["spec"]["template"]["spec"]["containers"]
}
KNOWN = frozenset(Settings.model_fields)
UNDERSTOOD = {"lang", "skip_build", "image", "readonly_root_filesystem", "environment_file", "environment", "secrets"}
UNDERSTOOD |= {"annotations", "labels", "requests", "limits"}
every_function = pytest.mark.parametrize("name", sorted(FUNCTIONS))


def test_every_function_of_the_manifests_is_in_the_stack_file_and_no_other() -> None:
    assert set(FUNCTIONS) == set(manifests.read().services)
    assert STACK["provider"]["name"] == "openfaas"


@every_function
def test_a_function_is_chosen_by_its_setting_and_nothing_is_built(name: str) -> None:
    function = FUNCTIONS[name]

    assert function["environment"] == {"FUNCTION": name, "SECRETS_DIR": "/var/openfaas/secrets"}
    assert stages()[-1].all("CMD")[0].exec_form() == ["serve"]
    assert (function["lang"], function["skip_build"]) == ("dockerfile", True)
    assert function["readonly_root_filesystem"] is True
    assert set(function) <= UNDERSTOOD


@every_function
def test_a_secret_is_a_setting_and_each_that_the_manifest_demands_is_there(name: str) -> None:
    (service,) = yaml.safe_load_all((ROOT / f"knative/base/services/{name}.yaml").read_text())
    (container,) = service["spec"]["template"]["spec"]["containers"]
    references = [
        variable.get("valueFrom", {}).get("secretKeyRef", {"optional": True}) for variable in container["env"]
    ]
    demanded = {one["key"].lower() for one in references if not one.get("optional")}
    mounted = {secret.replace("-", "_") for secret in FUNCTIONS[name]["secrets"]}

    assert demanded <= mounted <= KNOWN
    assert all(re.fullmatch(r"[a-z0-9-]+", secret) for secret in FUNCTIONS[name]["secrets"]), "no name for Kubernetes"


@every_function
def test_a_function_is_asked_for_its_health_where_it_answers_and_scales_within_bounds(name: str) -> None:
    annotations, labels = FUNCTIONS[name]["annotations"], FUNCTIONS[name]["labels"]

    assert annotations["com.openfaas.health.http.path"] == "/health"
    assert annotations["com.openfaas.ready.http.path"] == "/health/ready"
    assert 1 <= int(labels["com.openfaas.scale.min"]) <= int(labels["com.openfaas.scale.max"])
    assert all(isinstance(value, str) for value in (*labels.values(), *annotations.values()))


def test_settings_for_all_functions_are_settings_and_can_be_read() -> None:
    for name in FUNCTIONS["ingest"]["environment_file"]:
        said = yaml.safe_load((FOLDER / name).read_text())["environment"]

        assert {key.lower() for key in said} <= KNOWN
        assert all(isinstance(value, str) for value in said.values())
        Settings.model_validate({key.lower(): value for key, value in said.items()})


@pytest.mark.parametrize("name", sorted(CONNECTOR))
def test_the_connector_and_the_gateway_are_commands_of_the_image(name: str) -> None:
    word, *rest = CONNECTOR[name]["args"]

    context = main.commands[word].make_context(word, list(rest), parent=click.Context(main))

    assert word == name
    assert context.params["at"] == "http://gateway.openfaas:8080/function/{name}"
    assert CONNECTOR[name]["securityContext"]["readOnlyRootFilesystem"] is True
