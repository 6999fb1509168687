"""The Dockerfile, read; and its last stage, put together in a folder as far as a machine without Docker can."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path, PurePosixPath

from infrastructure.rabbitmq.generate import ROOT

DOCKERFILE = ROOT / "infrastructure" / "container" / "Dockerfile"
IGNORED = ROOT / ".dockerignore"
LOCK = ROOT / "infrastructure" / "requirements" / "image.lock"
HOME = "/opt/carillon"
"""Where everything of ours is, in the image."""

PACKAGES = f"{HOME}/lib/python3.*/site-packages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction: its word, its flags, and the rest of it."""

    word: str
    flags: tuple[str, ...]
    rest: str

    def exec_form(self) -> list[str]:
        """Return the words of an instruction that starts a process without a shell."""
        _, bracket, words = self.rest.partition("[")
        assert bracket, f"{self.word} {self.rest} starts a shell, which keeps SIGTERM for itself"
        return [str(word) for word in json.loads(bracket + words)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: what it begins with, its name, and its instructions."""

    base: str
    name: str
    instructions: tuple[Instruction, ...]

    def all(self, word: str) -> list[Instruction]:
        """List the instructions with a word."""
        return [one for one in self.instructions if one.word == word]

    def environment(self) -> dict[str, str]:
        """Read what ENV says."""
        pairs = [pair for one in self.all("ENV") for pair in shlex.split(one.rest)]
        return dict(pair.split("=", 1) for pair in pairs)


def stages() -> list[Stage]:
    """Read the Dockerfile."""
    found: list[tuple[str, list[Instruction]]] = []
    for one in instructions(DOCKERFILE.read_text()):
        if one.word == "FROM":
            found.append((one.rest, []))
        elif found:
            found[-1][1].append(one)
    return [
        Stage(base=head.partition(" AS ")[0], name=head.partition(" AS ")[2], instructions=tuple(body))
        for head, body in found
    ]


def instructions(text: str) -> Iterator[Instruction]:
    """Split a Dockerfile into instructions."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            word, *parts = line.split()
            flags = tuple(part for part in parts if part.startswith("--") and word != "RUN")
            rest = " ".join(parts[len(flags) if word != "HEALTHCHECK" else 0 :])
            yield Instruction(word=word.upper(), flags=flags, rest=rest)


def is_sent(path: PurePosixPath) -> bool:
    """Tell whether a path of the project is sent to the builder: of the patterns that match it, the last one counts."""
    sent = True
    for line in IGNORED.read_text().splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            lets_in = pattern.startswith("!")
            if any(_matches(place, pattern.removeprefix("!")) for place in (path, *path.parents)):
                sent = lets_in
    return sent


def _matches(path: PurePosixPath, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch(path.name, pattern.removeprefix("**/"))
    return pattern == "*" or str(path) == pattern


def sent(source: str) -> list[PurePosixPath]:
    """List the files of a source of COPY that are sent to the builder."""
    place = ROOT / source
    files = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
    relative = [PurePosixPath(path.relative_to(ROOT).as_posix()) for path in files]
    return [path for path in relative if is_sent(path)]


def put_together(folder: Path) -> Path:
    """Do what the build stage does, below a folder; return the home of everything.

    What pip would install is linked from this environment, which has the same versions, and nothing else of it.
    """
    (build,) = [stage for stage in stages() if stage.name == "build"]
    home = folder / HOME.lstrip("/")
    venv.create(home, symlinks=True, with_pip=False)
    (packages,) = home.glob("lib/python3.*/site-packages")
    pruned = [
        PurePosixPath(place).relative_to(PACKAGES)
        for run in build.all("RUN")
        if run.rest.startswith("rm -rf ")
        for place in run.rest.removeprefix("rm -rf ").split()
    ]
    _link_packages(packages, pruned)
    for copy in build.all("COPY"):
        *sources, target = copy.rest.split()
        if target.startswith(HOME):
            for source in sources:
                _copy(source, target, folder)
    starter = home / "bin" / "carillon"
    starter.write_text(starter.read_text().replace(HOME, str(home)))
    starter.chmod(0o755)
    return home


def _copy(source: str, target: str, folder: Path) -> None:
    is_file = (ROOT / source).is_file()
    for path in sent(source):
        inner = path.name if is_file and target.endswith("/") else str(path.relative_to(source)) if not is_file else ""
        place = folder / target.lstrip("/") / inner
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, place)


def _link_packages(packages: Path, pruned: Sequence[PurePosixPath]) -> None:
    for name in re.findall(r"^([\w.-]+)==", LOCK.read_text(), re.MULTILINE):
        if name == "async-timeout" and sys.version_info >= (3, 11, 3):
            continue  # the lock asks for it before 3.11.3 alone
        distribution = metadata.distribution(name)
        tops = {path.parts[0] for path in distribution.files or () if path.parts[0] != ".."}
        for top in sorted(tops - {"__pycache__"}):
            if not (packages / top).exists():
                _link(Path(str(distribution.locate_file(top))).resolve(), packages, PurePosixPath(top), pruned)


def _link(there: Path, packages: Path, relative: PurePosixPath, pruned: Sequence[PurePosixPath]) -> None:
    """Link a file or a folder, but for what is taken out of it."""
    if any(relative.match(str(gone)) for gone in pruned):
        return
    if not any(PurePosixPath(*gone.parts[: len(relative.parts)]) == relative for gone in pruned):
        (packages / relative).symlink_to(there)
        return
    (packages / relative).mkdir()
    for child in there.iterdir():
        _link(child, packages, relative / child.name, pruned)
