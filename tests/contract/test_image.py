"""The image, as its Dockerfile says it: who runs in it, what is in it, and what is not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from infrastructure.local import manifests
from infrastructure.rabbitmq.generate import ROOT
from shared.version import VERSION
from tests.contract.image import DOCKERFILE, HOME, Stage, is_sent, sent, stages

HEALTHY = ROOT / "infrastructure" / "container" / "healthy.py"


@pytest.fixture
def build() -> Stage:
    (stage,) = [stage for stage in stages() if stage.name == "build"]
    return stage


@pytest.fixture
def last() -> Stage:
    return stages()[-1]


def test_what_builds_is_another_stage_than_what_runs(build: Stage, last: Stage) -> None:
    assert [stage.name for stage in stages()] == ["build", "run"]
    assert [copy.flags for copy in last.all("COPY")] == [("--from=build",)]
    assert build.base == last.base == "${PYTHON}", "the environment of one is the other's"


def test_the_base_is_a_small_python_of_a_named_version_that_a_digest_can_be_given_for() -> None:
    (base,) = re.findall(r"^ARG PYTHON=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)

    assert re.fullmatch(r"python:3\.1[1-9]-slim-[a-z]+(@sha256:[0-9a-f]{64})?", base)


def test_packages_are_those_of_the_lock_each_checked_against_its_hash(build: Stage) -> None:
    (install,) = [run.rest for run in build.all("RUN") if " install" in run.rest]

    assert "--requirement /build/image.lock" in install
    for option in ("--require-hashes", "--no-deps", "--only-binary :all:"):
        assert option in install


def test_it_runs_as_a_number_that_is_not_roots(last: Stage) -> None:
    (user,) = last.all("USER")
    uid, _, gid = user.rest.partition(":")

    assert int(uid) >= 10_000
    assert int(gid) >= 10_000
    assert last.instructions.index(user) > last.instructions.index(last.all("RUN")[-1])


def test_a_signal_reaches_the_function_and_no_shell(last: Stage) -> None:
    (entry,), (command,) = last.all("ENTRYPOINT"), last.all("CMD")

    assert entry.exec_form() == ["carillon"]
    assert command.exec_form() == ["serve"]


def test_it_listens_where_knative_and_openfaas_ask_and_writes_nothing_compiled(last: Stage) -> None:
    environment = last.environment()

    assert (environment["HOST"], environment["PORT"]) == ("0.0.0.0", "8080")
    assert last.all("EXPOSE")[0].rest == "8080"
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert environment["PYTHONPATH"] == f"{HOME}/app"
    assert environment["PATH"].startswith(f"{HOME}/bin:")


def test_nothing_that_installs_is_left_in_the_last_stage(last: Stage) -> None:
    (run,) = last.all("RUN")

    for gone in ("/usr/local/bin/pip*", "ensurepip", "site-packages/*"):
        assert gone in run.rest
    assert not re.search(r"apt-get|pip install|curl|wget", run.rest)


def test_nothing_is_fetched_and_run_and_nothing_secret_is_in_it() -> None:
    text = DOCKERFILE.read_text()

    assert not re.search(r"curl|wget|ADD\s|\|\s*(ba)?sh", text)
    assert not re.search(r"^(ARG|ENV)\s.*(PASSWORD|SECRET|TOKEN|KEY|_URL)", text, re.MULTILINE)


def test_every_source_of_a_copy_is_there_and_is_sent(build: Stage) -> None:
    for copy in build.all("COPY"):
        for source in copy.rest.split()[:-1]:
            assert sent(source), source


@pytest.mark.parametrize(
    "path",
    [
        "tests/conftest.py",
        ".git/HEAD",
        ".venv/bin/python",
        ".env",
        "infrastructure/bench/bench.py",
        "infrastructure/requirements/dev.lock",
        "shared/__pycache__/settings.pyc",
        "knative/overlays/development/secrets.env",
    ],
)
def test_what_has_no_business_in_it_is_not_even_sent(path: str) -> None:
    assert not is_sent(PurePosixPath(path))


def test_it_carries_its_version_and_licence(last: Stage) -> None:
    labels = " ".join(label.rest for label in last.all("LABEL"))

    assert f"ARG VERSION={VERSION}" in DOCKERFILE.read_text()
    assert 'image.version="${VERSION}"' in labels
    assert 'image.licenses="MIT"' in labels


def test_the_manifests_give_the_image_an_argument_that_it_understands() -> None:
    for name in manifests.read().services:
        assert (ROOT / "functions" / name.replace("-", "_") / "main.py").is_file()


def test_its_look_at_health_is_the_file_that_is_copied(last: Stage) -> None:
    (look,) = last.all("HEALTHCHECK")
    command = look.exec_form()

    assert command[:2] == ["python", "-IS"]
    assert ROOT / Path(command[2]).relative_to(f"{HOME}/app") == HEALTHY


@pytest.mark.parametrize(("answer", "code"), [("200 OK", 0), ("503 Service Unavailable", 1), ("", 1)])
def test_a_function_is_healthy_when_it_says_so(answer: str, code: int) -> None:
    serving = (
        "import socket, subprocess, sys\n"
        "house = socket.create_server(('127.0.0.1', 0))\n"
        f"look = subprocess.Popen([sys.executable, '-IS', {str(HEALTHY)!r}], "
        "env={'PORT': str(house.getsockname()[1])})\n"
        "guest, _ = house.accept()\n"
        "asked = guest.recv(100)\n"
        f"guest.sendall(b'HTTP/1.0 {answer}\\r\\n\\r\\n' if {answer!r} else b'')\n"
        "guest.close()\n"
        "sys.exit(look.wait() if asked.startswith(b'GET /health ') else 9)\n"
    )

    assert subprocess.run([sys.executable, "-c", serving], check=False, timeout=20).returncode == code


def test_a_function_that_is_not_there_is_not_healthy() -> None:
    done = subprocess.run([sys.executable, "-IS", HEALTHY], env={"PORT": "1"}, check=False, timeout=20)

    assert done.returncode == 1
