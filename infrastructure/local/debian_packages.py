"""Unpack packages of Debian or Ubuntu into a private folder: needs no root, and installs nothing."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from shared.errors import Permanent

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STEP_SECONDS = 180
UNWANTED = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
DEPENDS = ("apt-cache", "depends", *(f"--no-{kind}" for kind in UNWANTED))

Names = Callable[[Sequence[str], Path], list[str]]
"""Given the options for apt and a folder to work in, name the packages."""


class PackagesNotAvailable(Permanent):
    """This is neither Debian nor Ubuntu, or its packages cannot be had. Says why."""


def unpack(folder: Path, names: Names, prepare: Callable[[Path, Path], None] = lambda root, folder: None) -> None:
    """Download and unpack packages, once. `prepare` tells what is unpacked where it will be.

    Raises:
        PackagesNotAvailable: there is no apt here, or no packages.
    """
    if folder.exists():
        return
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise PackagesNotAvailable("there is no apt-get to fetch packages with")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as workshop:
        _unpack_into(Path(workshop), folder, names, prepare)


def _unpack_into(workshop: Path, folder: Path, names: Names, prepare: Callable[[Path, Path], None]) -> None:
    """Unpack aside, then move in one step: a folder that exists is whole, also with two at it at once."""
    root = workshop / "root"
    root.mkdir()
    _download(workshop, names)
    for package in sorted(workshop.glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(root)], workshop)
    prepare(root, folder)
    try:
        root.rename(folder)
    except OSError:
        if not folder.exists():  # else somebody else was quicker
            raise


def _download(folder: Path, names: Names) -> None:
    """Fetch the packages, with the machine's package lists, or with lists of our own when those are old or missing."""
    own = _own_lists(folder)
    for options, prepare in (([], []), (own, [["apt-get", *own, "-qq", "update"]])):
        try:
            for command in prepare:
                _run(command, folder)
            _run(["apt-get", *options, "-qq", "download", *names(options, folder)], folder)
        except PackagesNotAvailable as unavailable:
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


def dependencies(options: Sequence[str], names: Sequence[str], folder: Path) -> set[str]:
    """Name what packages depend on."""
    lines = _run([*DEPENDS, *options, *names], folder).splitlines()
    return {line.split(":", 1)[1].strip().split(":")[0] for line in lines if "Depends: " in line and "<" not in line}


def missing_libraries(options: Sequence[str], names: Sequence[str], folder: Path) -> list[str]:
    """Name the libraries of packages that this machine lacks."""
    libraries = sorted(name for name in dependencies(options, names, folder) if name.startswith("lib"))
    return [name for name in libraries if not _is_installed(name)]


def library_path(root: Path) -> str:
    """Name the folders in which unpacked libraries are, as LD_LIBRARY_PATH has them."""
    found = {str(one.parent) for pattern in ("lib", "usr/lib") for one in root.glob(f"{pattern}/*/*.so*")}
    return ":".join(sorted(found))


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
        raise PackagesNotAvailable(f"{command[0]} failed ({reason})") from failure
    return done.stdout
