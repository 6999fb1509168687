"""Every setting is said in one place on a cluster, and what is said there is a setting."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from infrastructure.deployment.places import ELSEWHERE, SECRETS, Place, place_of, said_in
from infrastructure.deployment.settings_page import PAGE, page
from infrastructure.rabbitmq.generate import ROOT
from shared.settings import Settings
from tests.contract.rendering import KNATIVE, documents

SETTINGS_FILES = sorted(KNATIVE.glob("overlays/*/settings.env"))
SECRET_FILES = sorted(KNATIVE.glob("overlays/*/secrets.env"))
KNOWN = frozenset(name.upper() for name in Settings.model_fields)
FOR_THE_SANDBOX = frozenset({"TWILIO_BASE_URL", "TELEGRAM_BASE_URL", "ONESIGNAL_BASE_URL"})


def variables(file: Path) -> dict[str, str]:
    """Read a file of NAME=value lines as kustomize does."""
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def of_functions() -> list[tuple[str, dict[str, Any]]]:
    """List the containers of the functions, by the name of their Service."""
    services = documents(KNATIVE / "base" / "services")
    return [(one["metadata"]["name"], one["spec"]["template"]["spec"]["containers"][0]) for _, one in services]


def test_the_page_of_settings_says_what_the_settings_are() -> None:
    assert PAGE.read_text() == page(), "run python -m infrastructure.deployment.settings_page"


def test_every_setting_is_used_by_the_code() -> None:
    folders = [ROOT / folder for folder in ("functions", "shared", "infrastructure")]
    texts = [
        path.read_text() for folder in folders for path in folder.rglob("*.py") if "settings_page" not in path.name
    ]

    unused = [name for name in Settings.model_fields if not any(re.search(rf"\.{name}\b", text) for text in texts)]

    assert unused == ["secrets_dir"], "which the settings read themselves"


def test_what_has_a_place_is_a_setting() -> None:
    assert SECRETS | set(ELSEWHERE) <= set(Settings.model_fields)
    assert not SECRETS & set(ELSEWHERE)


def test_what_is_hidden_in_logs_is_a_secret_on_a_cluster_too() -> None:
    hidden = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}

    assert hidden <= SECRETS


def test_every_secret_is_read_by_a_function_and_no_function_reads_more() -> None:
    read = {
        variable["valueFrom"]["secretKeyRef"]["key"]
        for _, container in of_functions()
        for variable in container["env"]
        if "valueFrom" in variable
    }

    assert read == said_in(Place.SECRET)


def test_a_variable_and_the_key_of_its_secret_have_one_name() -> None:
    for function, container in of_functions():
        for variable in container["env"]:
            if "valueFrom" in variable:
                assert variable["valueFrom"]["secretKeyRef"]["key"] == variable["name"], function
                assert variable["valueFrom"]["secretKeyRef"]["name"] == "carillon", function


def test_what_a_manifest_says_itself_is_what_the_table_says() -> None:
    for function, container in of_functions():
        itself = {variable["name"] for variable in container["env"] if "value" in variable}
        assert itself == said_in(Place.MANIFEST), function


def test_production_says_every_setting_that_is_no_secret_and_nothing_else() -> None:
    assert set(variables(KNATIVE / "overlays" / "production" / "settings.env")) == said_in(Place.SETTINGS)


@pytest.mark.parametrize("file", SETTINGS_FILES, ids=lambda file: file.parent.name)
def test_settings_of_an_overlay_are_settings_and_can_be_read(file: Path) -> None:
    said = variables(file)

    assert set(said) <= said_in(Place.SETTINGS) | FOR_THE_SANDBOX
    Settings.model_validate({name.lower(): value for name, value in said.items() if value})


@pytest.mark.parametrize("file", SECRET_FILES, ids=lambda file: file.parent.name)
def test_secrets_of_an_overlay_are_secrets_and_only_development_has_them(file: Path) -> None:
    assert file.parent.name == "development"
    assert set(variables(file)) <= said_in(Place.SECRET)


def test_the_api_is_opened_by_no_manifest() -> None:
    assert place_of("api_open") is Place.NOWHERE
    assert [path for path in KNATIVE.rglob("*") if path.is_file() and "API_OPEN" in path.read_text()] == []
