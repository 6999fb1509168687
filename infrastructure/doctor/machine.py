"""This machine: open files, the place for data, and room on the disk."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

from infrastructure.doctor.findings import Finding, World, fault, ok, warning

ABOUT = "this machine"
FEW_FILES = 4096
LITTLE_ROOM_BYTES = 1 << 30
NO_ROOM_BYTES = 100 << 20


async def look(world: World) -> list[Finding]:
    """Look at it."""
    findings = [ok(ABOUT, f"Python {platform.python_version()} on {platform.system()}, {os.cpu_count()} cores")]
    findings += _files()
    if world.settings.database_url is None:
        findings += _data(Path(world.settings.data_dir))
    return findings


def _files() -> list[Finding]:
    if sys.platform == "win32":
        return []
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FEW_FILES:
        return [warning(ABOUT, f"a process may open {soft} files: each client holds one", f"ulimit -n {FEW_FILES * 4}")]
    return [ok(ABOUT, "a process may open as many files as it needs")]


def _data(place: Path) -> list[Finding]:
    there = next((one for one in (place, *place.absolute().parents) if one.exists()), Path("/"))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        remedy = "set DATA_DIR to a directory of your own"
        return [fault(ABOUT, f"DATA_DIR cannot be written: {there} is not open to this user", remedy)]
    return [ok(ABOUT, "DATA_DIR can be written"), room(ABOUT, there)]


def room(about: str, place: Path) -> Finding:
    """Tell how much room is left where a place is."""
    free = shutil.disk_usage(place).free
    said = f"{free / (1 << 30):.1f} GiB free on its disk"
    if free < NO_ROOM_BYTES:
        return fault(about, said, "make room: a full disk stops the database")
    return warning(about, said, "make room") if free < LITTLE_ROOM_BYTES else ok(about, said)
