"""Build `.venv` from a lock, then do what a target of the Makefile says.

Uses only the standard library, and a Python that may lack pip and ensurepip. With nothing to do it says nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "infrastructure" / "requirements"
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
BIN = VENV / "bin"
SYSTEM_WHEELS = Path("/usr/share/python-wheels")

Command = tuple[str, ...]

BY_FILE: Command = ("--dist", "loadfile", "--no-loadscope-reorder")  # whole processes come first, they wait longest
COMPILE: Command = ("uv", "pip", "compile", "--universal", "--python-version", "3.11", "--generate-hashes")
COMPILE += ("--quiet", "--no-header", "--output-file")
LOCKED = ("pip", "run", "dev", "tracing", "image")
PIP_LOCK, RUN_LOCK, DEV_LOCK, TRACING_LOCK, IMAGE_LOCK = (f"infrastructure/requirements/{kind}.lock" for kind in LOCKED)
EMBEDDED: Command = ("--extra", "embedded")
TRACING: Command = ("--extra", "tracing")


@dataclass(frozen=True)
class Target:
    """What a target needs and does. Arguments from the command line go to the last command.

    `checks` change nothing and run all at once; the commands run one after the other.
    """

    needs: str | None
    commands: tuple[Command, ...] = ()
    checks: tuple[Command, ...] = ()


TARGETS = {
    "run": Target("run", (("carillon", "up"),)),
    "demo": Target("run", (("carillon", "demo"),)),
    "bench": Target("run", (("carillon", "bench"),)),
    "bench-sockets": Target("run", (("python", "-m", "infrastructure.bench.sockets"),)),
    "test": Target("dev", (("pytest", "tests", "-n", "auto", "--maxprocesses", "4", *BY_FILE),)),
    "test-unit": Target("dev", (("pytest", "tests/unit"),)),
    "test-contract": Target("dev", (("pytest", "tests/contract"),)),
    "test-integration": Target("dev", (("pytest", "tests/integration"),)),
    "test-system": Target("dev", (("pytest", "tests/system"),)),
    "test-browser": Target("dev", (("pytest", "tests/browser"),)),
    "simulate": Target("dev", (("python", "-m", "tests.simulation", "--processes", "2"),)),
    "chaos": Target("dev", (("python", "-m", "tests.chaos"),)),
    "fuzz": Target("dev", (("python", "-m", "tests.specification"),)),
    "model": Target("dev", (("python", "-m", "tests.model.check"),)),
    "mutants": Target("dev", (("python", "-m", "tests.mutants"),)),
    "check": Target(
        "dev",
        checks=(
            ("ruff", "check", "."),
            ("ruff", "format", "--check", "."),
            ("mypy",),
            ("lint-imports", "--no-logo"),
            ("pytest", "--quiet", "-n", "2", *BY_FILE, "tests/unit"),
        ),
    ),
    "openapi": Target("dev", (("python", "-m", "infrastructure.openapi.generate"),)),
    "screenshots": Target("dev", (("python", "-m", "tests.browser.screenshots"),)),
    "format": Target("dev", (("ruff", "check", "--fix", "--quiet", "."), ("ruff", "format", "."))),
    "lock": Target(
        None,
        (
            (*COMPILE, PIP_LOCK, "infrastructure/requirements/pip.in"),
            (*COMPILE, RUN_LOCK, "pyproject.toml", *EMBEDDED),
            (*COMPILE, DEV_LOCK, "pyproject.toml", *EMBEDDED, *TRACING, "--extra", "dev", "--constraints", RUN_LOCK),
            (*COMPILE, TRACING_LOCK, "pyproject.toml", *EMBEDDED, *TRACING, "--constraints", RUN_LOCK),
            (*COMPILE, IMAGE_LOCK, "pyproject.toml", *TRACING, "--constraints", TRACING_LOCK),
        ),
    ),
}


class Stuck(Exception):
    """The environment cannot be built. Says why and names the remedy, in one line."""


def main(arguments: Sequence[str]) -> None:
    """Build what the target needs, then become its last command."""
    if not arguments or arguments[0] not in TARGETS:
        raise Stuck(f"one of these is needed: {' '.join(TARGETS)}")
    target = TARGETS[arguments[0]]
    os.chdir(ROOT)
    if target.needs:
        build(target.needs)
    if target.checks:
        sys.exit(run_checks(target.checks))
    *first, last = target.commands
    for command in first:
        code = subprocess.run([find_program(command[0]), *command[1:]]).returncode
        if code:
            sys.exit(code)
    sys.stdout.flush()
    program = find_program(last[0])  # as its own name, too: by that a Python finds the environment that it belongs to
    os.execv(program, [program, *last[1:], *arguments[1:]])  # noqa: S606 - signals are for the target, not for us


def run_checks(checks: Sequence[Command]) -> int:
    """Run commands at once, show what the failing ones said, and return how many failed."""
    failed = 0
    with contextlib.ExitStack() as files:
        running = []
        for command in checks:
            said = files.enter_context(tempfile.TemporaryFile("w+"))
            program = [find_program(command[0]), *command[1:]]
            running.append((command, said, subprocess.Popen(program, stdout=said, stderr=subprocess.STDOUT)))
        for command, said, process in running:
            code = process.wait()
            failed += bool(code)
            said.seek(0)
            if code:
                print(said.read(), flush=True)
            print(f"{'FAILED' if code else 'passed'}  {' '.join(command)}", flush=True)
    return failed


def find_program(name: str) -> str:
    """Find a program in the environment, else on the path."""
    inside = BIN / name
    found = str(inside) if inside.exists() else shutil.which(name)
    if found is None:
        raise Stuck(f"the program {name} is needed: install it")
    return found


def build(kind: str) -> None:
    """Install a lock (`run` or `dev`) into `.venv`, unless exactly that was done before."""
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "bootstrap.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two targets in two terminals take turns
        if is_built(kind):
            return
        python = base_python()
        make_venv(python)
        pip = find_pip(python)
        print("carillon: installing what infrastructure/requirements lists, once", flush=True)
        install(pip, LOCKS / "pip.lock")  # the others take three times as long with the pip of 2023 (measured)
        install((str(BIN / "python"), "-m", "pip"), LOCKS / f"{kind}.lock")
        link_project()
        for done in ("run", "dev") if kind == "dev" else ("run",):
            stamp(done).write_text(fingerprint(done))


def make_venv(python: str) -> None:
    """Make `.venv` if there is none, or if it is broken, of another Python, or was made elsewhere and moved here."""
    made_for, identity = VENV / "made-for", f"{ROOT}\n{sys.version}\n"
    works = (BIN / "python").exists() and subprocess.run([BIN / "python", "-c", ""]).returncode == 0
    if works and (not made_for.exists() or made_for.read_text() == identity):
        return
    print("carillon: making .venv", flush=True)
    subprocess.run([python, "-m", "venv", "--clear", "--without-pip", str(VENV)], check=True)
    made_for.write_text(identity)


def stamp(kind: str) -> Path:
    """Name the file that says which lock is installed."""
    return VENV / f"{kind}.stamp"


def is_built(kind: str) -> bool:
    """Tell whether `.venv` holds what the lock says, at this place."""
    return stamp(kind).exists() and stamp(kind).read_text() == fingerprint(kind)


def fingerprint(kind: str) -> str:
    """Sum up all that the environment was made from."""
    parts = [
        os.fsencode(ROOT),
        sys.version.encode(),
        (LOCKS / f"{kind}.lock").read_bytes(),
        Path(__file__).read_bytes(),
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def base_python() -> str:
    """Name the Python outside of any environment: one inside `.venv` could not make it anew."""
    return getattr(sys, "_base_executable", sys.executable) or sys.executable


def find_pip(python: str) -> Command:
    """Return the command of a pip that installs into `.venv`, without one being installed there.

    Any wheel of pip runs as it is. Raises Stuck when there is none and none can be had without root.
    """
    bundled = "import ensurepip, os; print(os.path.dirname(ensurepip.__file__))"
    said = subprocess.run([python, "-c", bundled], capture_output=True, text=True)
    folders = [f"{said.stdout.strip()}/_bundled"] if said.returncode == 0 else []
    folders += [str(SYSTEM_WHEELS), str(TOOLS / "pip" / "usr" / "share" / "python-wheels")]
    if wheel := newest_pip(folders):
        return (str(BIN / "python"), f"{wheel}/pip")
    probe = [python, "-m", "pip", "--python", str(BIN / "python"), "--version"]  # an old pip has no --python
    if subprocess.run(probe, capture_output=True).returncode == 0:
        return tuple(probe[:-1])
    if shutil.which("apt-get") and shutil.which("dpkg"):
        fetch_debian_pip()
        if wheel := newest_pip(folders):
            return (str(BIN / "python"), f"{wheel}/pip")
    raise Stuck(f"{python} has neither ensurepip nor pip: install python3-venv or pip, or set PYTHON to another Python")


def newest_pip(folders: Sequence[str]) -> str | None:
    """Find a wheel of pip, the first folder first."""
    for folder in folders:
        if wheels := sorted(glob.glob(f"{glob.escape(folder)}/pip-*.whl")):
            return wheels[-1]
    return None


def fetch_debian_pip() -> None:
    """Unpack the distribution's own package of pip into `.tools`: no root, nothing installed."""
    package = "python3-pip-whl"
    print(f"carillon: this Python has no pip; unpacking {package} into .tools", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        if subprocess.run(["apt-get", "-qq", "download", package], cwd=scratch, capture_output=True).returncode:
            # No package lists on this machine, as in a fresh container: a private copy of them will do.
            for folder in ("lists/partial", "archives/partial"):
                Path(scratch, folder).mkdir(parents=True)
            places = [
                f"Dir::State::Lists={scratch}/lists",
                f"Dir::Cache={scratch}",
                f"Dir::Cache::Archives={scratch}/archives",
            ]
            apt = ["apt-get", "-qq", *(part for place in places for part in ("-o", place))]
            for command in ([*apt, "update"], [*apt, "download", package]):
                done = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
                if done.returncode:
                    why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
                    raise Stuck(f"apt-get could not fetch {package} ({why}): install python3-venv, or pip")
        for archive in Path(scratch).glob("*.deb"):
            subprocess.run(["dpkg", "-x", archive, TOOLS / "pip"], check=True)


def install(pip: Command, lock: Path) -> None:
    """Install exactly what the lock lists, each file checked against its hash."""
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-warn-script-location"]
    options += ["--no-deps", "--no-compile", "--require-hashes"]  # the lock is complete; Python compiles what it uses
    if subprocess.run([*pip, "install", *options, "-r", str(lock)]).returncode:
        raise Stuck(f"pip could not install {lock.name}: its last lines say why")


def link_project() -> None:
    """Put this checkout on the environment's path, and the `carillon` command into it."""
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    said = subprocess.run([BIN / "python", "-c", where], capture_output=True, text=True, check=True)
    Path(said.stdout.strip(), "carillon.pth").write_text(f"{ROOT}\n")
    # -P: a folder of the caller's that is called `shared` is not ours.
    # A shell script and a Python one at once: no blank in the path breaks it, and `ps` shows it by its name.
    start = "import sys\nfrom infrastructure.cli.main import main\nsys.argv[0] = 'carillon'\nsys.exit(main())\n"
    script = BIN / "carillon"
    script.write_text(f"#!/bin/sh\n'''exec' {shlex.quote(str(BIN / 'python'))} -P \"$0\" \"$@\"\n' '''\n{start}")
    script.chmod(0o755)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Stuck as reason:
        sys.exit(f"carillon: {reason}")
    except KeyboardInterrupt:
        sys.exit(130)
