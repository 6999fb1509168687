"""What the pages on running Carillon name is there: files, links, commands, and numbers."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest

from infrastructure.cli.exits import Exit
from infrastructure.cli.main import main
from infrastructure.local.functions import STOP_SECONDS
from infrastructure.rabbitmq.generate import ROOT
from tests.contract.rendering import documents, render
from tests.contract.test_settings_are_said import variables

PAGES = sorted((ROOT / "docs").glob("*.md"))
OF_DEPLOYMENT = ("deploying-on-knative", "one-machine", "openfaas", "operating", "origins", "requirements")
FOLDERS = r"(?:knative|infrastructure|functions|shared|docs|tests|\.github)"
PRODUCTION = ROOT / "knative" / "overlays" / "production"
MOST_AT_ONCE = "autoscaling.knative.dev/max-scale"
of_deployment = pytest.mark.parametrize("name", OF_DEPLOYMENT)


def text(name: str) -> str:
    """Read a page."""
    return (ROOT / "docs" / f"{name}.md").read_text()


def typed(page: str) -> Iterator[str]:
    """List the lines that a page tells to type, the continued ones as one."""
    for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL):
        yield from (line for line in block.replace("\\\n", " ").splitlines() if line.strip())


def heading(title: str) -> str:
    """Write a heading as the part of an address behind #."""
    return re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")


@of_deployment
def test_a_file_that_a_page_names_is_there(name: str) -> None:
    named = set(re.findall(rf"(?<![\w/.-]){FOLDERS}/[\w./-]*\w", text(name)))

    missing = [path for path in named if not (ROOT / path).exists()]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, part = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), link
        if part:
            titles = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
            assert part in [heading(title) for title in titles], link


@of_deployment
def test_a_command_of_ours_is_one_that_the_command_line_understands(name: str) -> None:
    for line in typed(text(name)):
        words = shlex.split(line)
        while words and re.fullmatch(r"\w+=.*", words[0]):
            words.pop(0)
        if words[:1] != ["carillon"]:
            continue
        command: click.Command = main
        rest = words[1:]
        while isinstance(command, click.Group):
            command = command.commands[rest.pop(0)]
        if rest != ["--help"]:
            command.make_context(str(command.name), rest)


@of_deployment
def test_what_kubectl_and_docker_are_told_to_read_is_there(name: str) -> None:
    options = ("--kustomize", "--filename", "--file", "--yaml")
    for line in typed(text(name)):
        words = shlex.split(line)
        for option, value in pairwise(words):
            if option in options and words[0] != "pg_dump":
                assert (ROOT / value).exists(), line


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        links = re.findall(r"\]\(([^)#\s:]+\.md)", page.read_text())
        found = {(page.parent / link).resolve() for link in links} - reached
        reached |= found
        waiting += found

    assert [page.name for page in PAGES if page not in reached] == []


def test_the_secret_that_the_page_makes_has_every_key_that_a_function_reads() -> None:
    made = set(re.findall(r"--from-(?:literal|file)=([A-Z_]+)=", text("deploying-on-knative")))
    read = {
        variable["valueFrom"]["secretKeyRef"]["key"]
        for _, service in documents(ROOT / "knative" / "base" / "services")
        for variable in service["spec"]["template"]["spec"]["containers"][0]["env"]
        if "valueFrom" in variable
    }

    assert made == read


@pytest.mark.kustomize
def test_the_connections_that_the_page_counts_are_those_that_production_may_open() -> None:
    each = int(variables(PRODUCTION / "settings.env")["DATABASE_POOL_MAX"])
    pods = [
        int(document["spec"]["template"]["metadata"]["annotations"][MOST_AT_ONCE])
        for document in render(PRODUCTION)
        if document["apiVersion"] == "serving.knative.dev/v1"
    ]
    (said,) = re.findall(r"at most \*\*(\d+)\*\* connections", text("operating"))

    assert int(said) == each * sum(pods)


def test_systemd_starts_what_is_there_and_gives_it_time_to_end() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "infrastructure" / "systemd" / "carillon.service")
    service = unit["Service"]
    program, word, *rest = shlex.split(service["ExecStart"])

    main.commands[word].make_context(word, rest)
    assert program == "/opt/carillon/.venv/bin/carillon"
    assert int(service["TimeoutStopSec"]) > STOP_SECONDS
    assert int(service["RestartPreventExitStatus"]) == Exit.USAGE
    assert service["DynamicUser"] == "yes"
