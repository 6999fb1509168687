"""The workflows: nothing unpinned, nothing with more rights than it needs, and only what a person can do too."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from infrastructure.rabbitmq.generate import ROOT
from shared.version import VERSION

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
WORKFLOWS: dict[str, dict[str, Any]] = {file.name: yaml.safe_load(file.read_text()) for file in FILES}
JOBS = {name: job for workflow in WORKFLOWS.values() for name, job in workflow["jobs"].items()}
every_job = pytest.mark.parametrize("name", sorted(JOBS))
every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)


def commands(job: dict[str, Any]) -> str:
    """Put together what a job runs."""
    return "\n".join(step["run"] for step in job["steps"] if "run" in step)


def targets() -> set[str]:
    """List the targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@every_file
def test_an_action_is_pinned_to_a_commit_and_says_which_version_that_is(file: Any) -> None:
    used = re.findall(r"uses: (.*)", file.read_text())

    assert used
    assert [line for line in used if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


@every_file
def test_a_workflow_may_read_and_a_job_says_what_more_it_needs(file: Any) -> None:
    workflow = WORKFLOWS[file.name]
    more = {name: job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job}

    assert workflow["permissions"] == {"contents": "read"}
    assert more == {"image": {"contents": "read", "packages": "write"}}
    assert "concurrency" in workflow
    assert "pull_request_target" not in file.read_text()


@every_job
def test_a_job_ends_and_runs_on_a_system_with_a_version(name: str) -> None:
    assert 5 <= JOBS[name]["timeout-minutes"] <= 60
    assert re.fullmatch(r"ubuntu-\d\d\.\d\d", JOBS[name]["runs-on"])


@every_job
def test_what_others_may_choose_is_never_part_of_a_command(name: str) -> None:
    inside = re.findall(r"\$\{\{\s*([^}]*?)\s*\}\}", commands(JOBS[name]))

    assert [expression for expression in inside if not expression.startswith("matrix.")] == []


@every_job
def test_a_checkout_leaves_no_token_behind(name: str) -> None:
    for step in JOBS[name]["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@every_job
def test_a_target_and_a_file_that_a_job_names_are_there(name: str) -> None:
    said = commands(JOBS[name])
    suites = JOBS[name].get("strategy", {}).get("matrix", {}).get("suite", [])

    assert set(re.findall(r"^make ([a-z-]+)", said, re.MULTILINE)) | set(suites) <= targets()
    for path in re.findall(r"(?<![\w/.\"-])(?:tests|knative|infrastructure)/[\w./-]*\w", said):
        assert (ROOT / path).exists(), path


def test_it_is_linted_tested_built_tried_and_deployed() -> None:
    assert set(JOBS) == {"check", "test", "docs", "manifests", "image", "deploy"}


def test_what_a_red_job_means_is_told_of_each() -> None:
    told = re.findall(r"^\| `([a-z]+)`", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)

    assert set(told) == set(JOBS)


def test_only_main_is_deployed_after_everything_else_and_by_an_environment() -> None:
    job = JOBS["deploy"]

    assert set(job["needs"]) == set(JOBS) - {"deploy"}
    assert "github.ref == 'refs/heads/main'" in job["if"]
    assert job["environment"] == "production"
    assert job["concurrency"]["cancel-in-progress"] is False


def test_no_job_but_the_deployment_sees_a_secret() -> None:
    seeing = {name for name, job in JOBS.items() if "secrets." in yaml.safe_dump(job)}

    assert seeing == {"deploy"}


def test_the_version_is_the_same_wherever_it_stands() -> None:
    overlay = yaml.safe_load((ROOT / "knative" / "overlays" / "production" / "kustomization.yaml").read_text())

    assert overlay["images"][0]["newTag"] == VERSION
    assert f"ARG VERSION={VERSION}\n" in (ROOT / "infrastructure" / "container" / "Dockerfile").read_text()
    for file in ("stack.yml", "connector.yaml"):
        text = (ROOT / "infrastructure" / "openfaas" / file).read_text()
        assert set(re.findall(r"carillon:([\w.]+)", text)) == {VERSION}


def test_hooks_before_a_commit_run_what_is_there() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    programs = [hook["entry"].split()[0] for hook in local["hooks"] if hook["language"] == "system"]

    assert local["repo"] == "local"
    assert all(program.startswith(".venv/bin/") for program in programs)
    for hook in local["hooks"]:
        for path in re.findall(r"tests/[\w./]+", hook["entry"]):
            assert (ROOT / path).exists(), path
