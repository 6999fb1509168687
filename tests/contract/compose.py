"""The compose file, read: every service with its environment as Docker would fill it in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from infrastructure.rabbitmq.generate import ROOT

FOLDER = ROOT / "infrastructure"
FILE = FOLDER / "docker-compose.yml"
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service."""

    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ports: tuple[str, ...]
    volumes: tuple[str, ...]
    depends_on: Mapping[str, str]
    document: Mapping[str, Any] = field(repr=False)

    @property
    def is_ours(self) -> bool:
        """Whether it runs our image."""
        return self.image.startswith("carillon:")

    @property
    def port(self) -> int:
        """Where one of ours listens."""
        return int(self.environment.get("PORT", "8080"))


@cache
def document() -> dict[str, Any]:
    """Read the file."""
    read: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return read


def services(**environment: str) -> dict[str, Service]:
    """Read the services, as they are with these variables in the environment of Docker."""
    return {name: _service(name, said, environment) for name, said in document()["services"].items()}


def _service(name: str, said: Mapping[str, Any], environment: Mapping[str, str]) -> Service:
    depends = said.get("depends_on") or {}
    return Service(
        name=name,
        image=said["image"],
        command=tuple(said.get("command", ())),
        environment={key: _filled(value, environment) for key, value in said.get("environment", {}).items()},
        ports=tuple(said.get("ports", ())),
        volumes=tuple(said.get("volumes", ())),
        depends_on={other: how["condition"] for other, how in depends.items()},
        document=said,
    )


def _filled(value: str, environment: Mapping[str, str]) -> str:
    assert isinstance(value, str), f"{value!r} would be read as something else than it looks like"
    return _VARIABLE.sub(lambda found: environment.get(found[1]) or found[2], value)
