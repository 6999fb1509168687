"""The settings: each that is wrong by its name, each that is missing, and which are set. No value is shown."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from infrastructure.doctor.findings import Finding, World, fault, ok, warning
from infrastructure.local import providers
from shared.errors import SettingMissing
from shared.settings import Settings

ABOUT = "settings"
_SIGNING = ("jwt_secret", "jwt_jwks_url", "jwt_issuer", "jwt_audience")
"""What rules about several settings are about."""


def read() -> tuple[Settings, tuple[tuple[str, str], ...]]:
    """Read the settings with those left out that are wrong; return these too, with the reason."""
    try:
        return Settings(), ()
    except ValidationError as broken:
        found = broken.errors(include_url=False, include_context=False, include_input=False)
    wrong = tuple((_name(one["loc"]), str(one["msg"]).removeprefix("Value error, ")) for one in found)
    names = {str(one["loc"][0]) for one in found if one["loc"]} or set(_SIGNING)
    usual: dict[str, Any] = {name: Settings.model_fields[name].default for name in names}
    try:
        return Settings(**usual), wrong
    except ValidationError:  # and one more that only the others had hidden
        return Settings.model_construct(), wrong


def _name(place: tuple[int | str, ...]) -> str:
    return "_".join(map(str, place)).upper()


async def look(world: World) -> list[Finding]:
    """Look at all of them."""
    findings = [
        fault(ABOUT, f"{name}: {why}" if name else why, "see docs/cli.md and shared/settings.py")
        for name, why in world.wrong
    ]
    for question in (world.settings.api_is_open, lambda: providers.require(world.settings)):
        try:
            question()
        except SettingMissing as missing:
            findings.append(fault(ABOUT, str(missing), "set it"))
    if providers.may_stand_in(world.settings) and (unmet := providers.unmet(world.settings)):
        channels = ", ".join(sorted(channel for need in unmet for channel in need.channels & world.settings.served()))
        say = warning if world.settings.database_url is not None else ok
        findings.append(say(ABOUT, f"the sandbox stands in for the providers of {channels}: nobody gets a message"))
    names = {name.upper() for name in world.settings.model_fields_set}
    said = sorted(names - {name for name, _ in world.wrong})
    findings.append(ok(ABOUT, f"set: {', '.join(said)}" if said else "none is set: the embedded default"))
    return findings
