"""Find the programs of a RabbitMQ server: installed ones, or Debian's packages unpacked into a private folder.

Unpacking needs no root and installs nothing.
"""

from __future__ import annotations

import glob
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from shared.errors import Permanent

UNPACKED = Path(__file__).resolve().parents[2] / ".tools" / "rabbitmq"
INSTALLED = (
    "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
)
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STEP_SECONDS = 180
UNWANTED = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
DEPENDS = ("apt-cache", "depends", *(f"--no-{kind}" for kind in UNWANTED))


class RabbitMQNotAvailable(Permanent):
    """There is no RabbitMQ to be had here. Names the remedy."""


REMEDY = "set AMQP_URL, or install rabbitmq-server, or run a broker on localhost:5672"


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Where the scripts of the server are, and what they need around them."""

    scripts: Path
    path: str = SYSTEM_PATH
    libraries: str = ""


def installed(patterns: tuple[str, ...] = INSTALLED) -> Programs | None:
    """Find the newest installed server. The scripts in its own folder: the system's wrapper insists on root."""
    folders = sorted(folder for pattern in patterns for folder in glob.glob(pattern))
    erlang = shutil.which("erl")
    if not folders or not erlang:
        return None
    return Programs(scripts=Path(folders[-1]), path=f"{Path(erlang).parent}:{SYSTEM_PATH}")


def unpacked(folder: Path = UNPACKED) -> Programs:
    """Download and unpack the packages of the distribution, once.

    Raises:
        RabbitMQNotAvailable: this is not Debian or Ubuntu, or the packages cannot be had.
    """
    folder = folder.resolve()
    if not folder.exists():
        if not (shutil.which("apt-get") and shutil.which("dpkg")):
            raise RabbitMQNotAvailable(f"no rabbitmq-server here, and no apt-get to fetch one: {REMEDY}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as workshop:
            _unpack_into(Path(workshop), folder)
    return _programs_in(folder)


def _unpack_into(workshop: Path, folder: Path) -> None:
    """Unpack aside, then move in one step: a folder that exists is whole, also with two at it at once."""
    root = workshop / "root"
    root.mkdir()
    _download(workshop)
    for package in sorted(workshop.glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(root)], workshop)
    _move_erlang_root(root / "usr/lib/erlang", folder / "usr/lib/erlang")
    try:
        root.rename(folder)
    except OSError:
        if not folder.exists():  # else somebody else was quicker
            raise


def _programs_in(root: Path) -> Programs:
    scripts = sorted(root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin"))
    if not scripts:
        raise RabbitMQNotAvailable(f"the packages unpacked in {root} hold no server: remove the folder, or {REMEDY}")
    libraries = sorted(
        {str(found.parent) for pattern in ("lib", "usr/lib") for found in root.glob(f"{pattern}/*/*.so*")}
    )
    erlang = root / "usr/lib/erlang"
    programs = [str(erlang / "bin"), *(str(found) for found in erlang.glob("erts-*/bin"))]
    return Programs(scripts=scripts[-1], path=":".join([*programs, SYSTEM_PATH]), libraries=":".join(libraries))


def _download(folder: Path) -> None:
    """Fetch the packages, with the machine's package lists, or with lists of our own when those are old or missing."""
    own = _own_lists(folder)
    for options, prepare in (([], []), (own, [["apt-get", *own, "-qq", "update"]])):
        try:
            for command in prepare:
                _run(command, folder)
            _run(["apt-get", *options, "-qq", "download", *_package_names(options, folder)], folder)
        except RabbitMQNotAvailable as unavailable:
            failure = unavailable
        else:
            return
    raise failure


def _own_lists(folder: Path) -> list[str]:
    lists = folder / "apt"
    (lists / "lists" / "partial").mkdir(parents=True)
    (lists / "cache" / "archives" / "partial").mkdir(parents=True)
    options = [f"Dir::State::Lists={lists}/lists", f"Dir::Cache={lists}/cache", "APT::Sandbox::User="]
    return [part for option in options for part in ("-o", option)]


def _package_names(options: list[str], folder: Path) -> list[str]:
    """Name the server, the Erlang parts that it needs, and those of their libraries that this machine lacks."""
    closure = _dependencies([*options, "--recurse"], ["rabbitmq-server"], folder)
    needed = sorted({"rabbitmq-server", *(name for name in closure if name.startswith("erlang-"))})
    libraries = sorted(name for name in _dependencies(options, needed, folder) if name.startswith("lib"))
    return needed + [name for name in libraries if not _is_installed(name)]


def _dependencies(options: list[str], names: list[str], folder: Path) -> set[str]:
    lines = _run([*DEPENDS, *options, *names], folder).splitlines()
    return {line.split(":", 1)[1].strip().split(":")[0] for line in lines if "Depends: " in line and "<" not in line}


def _is_installed(name: str) -> bool:
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status}", name], capture_output=True, timeout=STEP_SECONDS, check=False
    )
    return asked.stdout == b"installed"


def _run(command: list[str], folder: Path) -> str:
    environment = {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=STEP_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as failure:
        reason = (getattr(failure, "stderr", None) or str(failure)).strip()[-300:]
        raise RabbitMQNotAvailable(f"{command[0]} failed ({reason}): {REMEDY}") from failure
    return done.stdout


def _move_erlang_root(erlang: Path, destination: Path) -> None:
    """Tell the start scripts where they will be: they hold the folder that the package was built for."""
    for script in (erlang / "bin/erl", *erlang.glob("erts-*/bin/erl"), erlang / "bin/start"):
        if script.is_file() and not script.is_symlink():
            text = script.read_text()
            script.write_text(re.sub(r'ROOTDIR="?/usr/lib/erlang"?', f'ROOTDIR="{destination}"', text))
