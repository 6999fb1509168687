"""Find the programs of a RabbitMQ server: installed ones, or Debian's packages unpacked into a private folder.

Unpacking needs no root and installs nothing.
"""

from __future__ import annotations

import glob
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infrastructure.local.debian_packages import (
    SYSTEM_PATH,
    PackagesNotAvailable,
    dependencies,
    library_path,
    missing_libraries,
    unpack,
)
from shared.errors import Permanent

UNPACKED = Path(__file__).resolve().parents[2] / ".tools" / "rabbitmq"
INSTALLED = (
    "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
)


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
    try:
        unpack(folder, _package_names, _move_erlang_root)
    except PackagesNotAvailable as unavailable:
        raise RabbitMQNotAvailable(f"no rabbitmq-server here, and {unavailable}: {REMEDY}") from unavailable
    return _programs_in(folder)


def _programs_in(root: Path) -> Programs:
    scripts = sorted(root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin"))
    if not scripts:
        raise RabbitMQNotAvailable(f"the packages unpacked in {root} hold no server: remove the folder, or {REMEDY}")
    erlang = root / "usr/lib/erlang"
    programs = [str(erlang / "bin"), *(str(found) for found in erlang.glob("erts-*/bin"))]
    return Programs(scripts=scripts[-1], path=":".join([*programs, SYSTEM_PATH]), libraries=library_path(root))


def _package_names(options: Sequence[str], folder: Path) -> list[str]:
    """Name the server, the Erlang parts that it needs, and those of their libraries that this machine lacks."""
    closure = dependencies([*options, "--recurse"], ["rabbitmq-server"], folder)
    needed = sorted({"rabbitmq-server", *(name for name in closure if name.startswith("erlang-"))})
    return needed + missing_libraries(options, needed, folder)


def _move_erlang_root(root: Path, folder: Path) -> None:
    """Tell the start scripts where they will be: they hold the folder that the package was built for."""
    erlang, destination = root / "usr/lib/erlang", folder / "usr/lib/erlang"
    for script in (erlang / "bin/erl", *erlang.glob("erts-*/bin/erl"), erlang / "bin/start"):
        if script.is_file() and not script.is_symlink():
            text = script.read_text()
            script.write_text(re.sub(r'ROOTDIR="?/usr/lib/erlang"?', f'ROOTDIR="{destination}"', text))
