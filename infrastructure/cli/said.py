"""Read what the options of `send` say of an event."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click


def read_data(pairs: Sequence[str]) -> dict[str, Any]:
    """Read NAME=TEXT and NAME:=JSON.

    Raises:
        click.BadParameter: one is neither.
    """
    data: dict[str, Any] = {}
    for pair in pairs:
        name, found, value = pair.partition("=")
        if not found or not name.rstrip(":"):
            raise click.BadParameter(f"{pair!r} is not NAME=TEXT or NAME:=JSON", param_hint="--data")
        data[name.removesuffix(":")] = _read_json(name, value) if name.endswith(":") else value
    return data


def _read_json(name: str, value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        raise click.BadParameter(f"{name}= is followed by no JSON", param_hint="--data") from None


def event(said: Mapping[str, Any], *, message: str | None, channel: str | None, pairs: Sequence[str]) -> dict[str, Any]:
    """Write an event as POST /events takes it: what was said, and nothing else."""
    data = read_data(pairs)
    data |= {name: value for name, value in (("message", message), ("preferred_channel", channel)) if value is not None}
    return {**{name: value for name, value in said.items() if value is not None}, "data": data}
