"""What a fresh clone does on a machine that has nothing but Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure import bootstrap

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path("infrastructure", "bootstrap.sh")


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone in a path with a space and a quote, to which the bootstrap's names point; its environment is empty."""
    root = tmp_path / "ana's clone"
    for folder in ("infrastructure/requirements", "infrastructure/cli", ".tools"):
        (root / folder).mkdir(parents=True)
    for kind in ("run", "dev"):
        (root / "infrastructure" / "requirements" / f"{kind}.lock").write_text("")
    point_at(root, monkeypatch)
    return root


def point_at(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", root)
    monkeypatch.setattr(bootstrap, "LOCKS", root / "infrastructure" / "requirements")
    monkeypatch.setattr(bootstrap, "TOOLS", root / ".tools")
    monkeypatch.setattr(bootstrap, "VENV", root / ".venv")
    monkeypatch.setattr(bootstrap, "BIN", root / ".venv" / "bin")


def put_program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def without_pip(clone: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python with neither ensurepip nor pip; returns the one folder in which programs are found."""
    hidden = clone / "hidden"
    hidden.mkdir()
    (hidden / "ensurepip.py").write_text("raise ImportError('not in this distribution')")
    (hidden / "pip.py").write_text("raise SystemExit('not in this distribution')")
    monkeypatch.setenv("PYTHONPATH", str(hidden))
    monkeypatch.setattr(bootstrap, "SYSTEM_WHEELS", clone / "no-such-folder")
    programs = clone / "programs"
    programs.mkdir()
    for name in ("mkdir", "touch"):
        (programs / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(programs))
    return programs


def test_a_python_without_pip_names_the_remedy(without_pip: Path) -> None:
    with pytest.raises(bootstrap.Stuck, match="install python3-venv or pip, or set PYTHON"):
        bootstrap.find_pip(sys.executable)


@pytest.mark.parametrize("lists", ["present", "missing"])
def test_on_debian_pip_comes_from_its_own_package_without_root(without_pip: Path, clone: Path, lists: str) -> None:
    needs_lists = 'case "$*" in *Dir::State::Lists=*) ;; *) exit 100 ;; esac' if lists == "missing" else ""
    put_program(without_pip, "apt-get", f'{needs_lists}\ncase "$*" in *download*) touch python3-pip-whl.deb ;; esac')
    put_program(
        without_pip, "dpkg", 'mkdir -p "$3/usr/share/python-wheels"; touch "$3/usr/share/python-wheels/pip-23.0.1.whl"'
    )

    command = bootstrap.find_pip(sys.executable)

    wheel = clone / ".tools" / "pip" / "usr" / "share" / "python-wheels" / "pip-23.0.1.whl"
    assert command == (str(clone / ".venv" / "bin" / "python"), f"{wheel}/pip")


def test_a_debian_that_cannot_fetch_pip_says_why(without_pip: Path) -> None:
    put_program(without_pip, "apt-get", "echo 'E: Temporary failure resolving' >&2; exit 100")
    put_program(without_pip, "dpkg", "exit 1")

    with pytest.raises(bootstrap.Stuck, match=r"could not fetch python3-pip-whl \(E: Temporary failure resolving\)"):
        bootstrap.find_pip(sys.executable)


def test_the_command_works_in_any_path_and_from_any_folder(clone: Path) -> None:
    bootstrap.make_venv(bootstrap.base_python())
    for package in ("infrastructure", "infrastructure/cli"):
        (clone / package / "__init__.py").write_text("")
    (clone / "infrastructure" / "cli" / "main.py").write_text("import sys\ndef main(): print(sys.argv)")
    elsewhere = clone / "elsewhere"
    (elsewhere / "infrastructure").mkdir(parents=True)
    (elsewhere / "infrastructure" / "__init__.py").write_text("raise SystemExit('a stranger')")

    bootstrap.link_project()

    command = [str(clone / ".venv" / "bin" / "carillon"), "show", "a b"]
    said = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True)
    assert said.stdout == "['carillon', 'show', 'a b']\n"


def test_a_clone_that_was_moved_gets_a_new_environment(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap.make_venv(bootstrap.base_python())
    left_over = Path(".venv", "left-over")
    (clone / left_over).touch()
    bootstrap.make_venv(bootstrap.base_python())
    assert (clone / left_over).exists()

    moved = clone.rename(clone.with_name("moved"))
    point_at(moved, monkeypatch)
    bootstrap.make_venv(bootstrap.base_python())

    assert not (moved / left_over).exists()


@pytest.mark.parametrize("change", ["lock", "place"])
def test_an_environment_is_built_again_only_when_something_changed(
    clone: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    (clone / ".venv").mkdir()
    bootstrap.stamp("run").write_text(bootstrap.fingerprint("run"))
    assert bootstrap.is_built("run")

    if change == "lock":
        (clone / "infrastructure" / "requirements" / "run.lock").write_text("pika==1.4.4")
    else:
        monkeypatch.setattr(bootstrap, "ROOT", clone / "elsewhere")

    assert not bootstrap.is_built("run")


def start(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "VIRTUAL_ENV")}
    shell = str(shutil.which("sh"))
    return subprocess.run(
        [shell, SCRIPT, *arguments], cwd=root, env=inherited | environment, capture_output=True, text=True, timeout=300
    )


@pytest.fixture
def only_the_shell_script(tmp_path: Path) -> Path:
    (tmp_path / "infrastructure").mkdir()
    shutil.copy(ROOT / SCRIPT, tmp_path / SCRIPT)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "dirname").symlink_to(str(shutil.which("dirname")))
    return tmp_path


def test_a_machine_without_python_is_told_what_is_missing(only_the_shell_script: Path) -> None:
    said = start(only_the_shell_script, "run", PATH=str(only_the_shell_script / "programs"))

    assert said.returncode == 1
    assert said.stderr.count("\n") == 1
    assert "needs Python 3.11 or newer, and this machine has no Python" in said.stderr


def test_an_old_python_is_named(only_the_shell_script: Path) -> None:
    programs = only_the_shell_script / "programs"
    put_program(programs, "python3", 'case "$1" in --version) echo "Python 3.9.2" ;; *) exit 1 ;; esac')

    said = start(only_the_shell_script, "run", PATH=str(programs))

    assert said.returncode == 1
    assert "this machine has Python 3.9.2" in said.stderr


def test_a_python_that_was_chosen_and_does_not_fit_is_not_replaced(only_the_shell_script: Path) -> None:
    said = start(only_the_shell_script, "run", PYTHON="/no/such/python")

    assert said.returncode == 1
    assert said.stderr == "carillon: PYTHON=/no/such/python is no Python 3.11 or newer\n"


def test_an_unknown_target_lists_the_known_ones() -> None:
    said = start(ROOT, "fly", PYTHON=sys.executable)

    assert said.returncode == 1
    assert "run demo bench bench-sockets test" in said.stderr


def test_make_lists_every_target_with_a_sentence() -> None:
    makefile = (ROOT / "Makefile").read_text()

    explained = re.findall(r"^([a-z-]+): ## [A-Z].{10,}$", makefile, re.MULTILINE)

    assert set(explained) == {*bootstrap.TARGETS, "help", "clean"}
    for target in bootstrap.TARGETS:
        assert f"$(BOOTSTRAP) {target}" in makefile


def test_a_check_that_fails_is_shown_and_counted_and_the_others_run_on(capfd: pytest.CaptureFixture[str]) -> None:
    failed = bootstrap.run_checks((("sh", "-c", "echo broken; exit 3"), ("sh", "-c", "echo sound")))

    said = capfd.readouterr().out
    assert failed == 1
    assert said == "broken\n\nFAILED  sh -c echo broken; exit 3\npassed  sh -c echo sound\n"


@pytest.mark.slow
def test_a_fresh_clone_runs_with_nothing_but_python_and_a_second_start_is_quiet(tmp_path: Path) -> None:
    root = tmp_path / "fresh clone"
    root.mkdir()
    for folder in ("functions", "infrastructure", "shared"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))

    first = start(root, "run", "--help", PYTHON=bootstrap.base_python())
    second = start(root, "run", "--help")

    assert first.returncode == 0, first.stderr
    assert "carillon: installing" in first.stdout
    assert second.returncode == 0, second.stderr
    assert "Usage: carillon up" in second.stdout
    assert "carillon: " not in second.stdout + second.stderr
    shutil.rmtree(root)
