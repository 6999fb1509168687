"""A headless Chromium for the tests: an installed one, else Debian's packages unpacked into a private folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infrastructure.local.debian_packages import (
    PackagesNotAvailable,
    library_path,
    missing_libraries,
    unpack,
)

UNPACKED = Path(__file__).resolve().parents[2] / ".tools" / "chromium"
INSTALLED = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium-headless-shell", "chromium-common")
FONTS = ("fonts-dejavu-core", "fonts-liberation2")
"""Without a font a page has no text, and every line has another height than anybody sees."""

REMEDY = "set CHROMIUM to the program of a Chromium, or install chromium"
ARGUMENTS = (
    *("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-quic", "--no-first-run", "--force-color-profile=srgb", "--font-render-hinting=none"),
)
_FONT_SETTINGS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{cache}</cachedir>
  <alias><family>sans-serif</family><prefer><family>Liberation Sans</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""


@dataclass(frozen=True, slots=True)
class Program:
    """Where the browser is, and the environment that it needs."""

    path: str
    environment: dict[str, str]


def find_program(folder: Path = UNPACKED) -> Program:
    """Find a browser: CHROMIUM, an installed one, else an unpacked one.

    Raises:
        PackagesNotAvailable: none of these is possible here.
    """
    given = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, INSTALLED)), None)
    if given:
        return Program(given, dict(os.environ))
    try:
        unpack(folder.resolve(), _names, _write_font_settings)
    except PackagesNotAvailable as unavailable:
        raise PackagesNotAvailable(f"no Chromium here, and {unavailable}: {REMEDY}") from unavailable
    places = [library_path(folder), *map(str, folder.glob("usr/lib/*/pulseaudio"))]  # whose own path is elsewhere
    own = {"LD_LIBRARY_PATH": ":".join(places), "FONTCONFIG_FILE": str(folder / "fonts.conf")}
    return Program(str(folder / "usr/lib/chromium/chromium-headless-shell"), {**os.environ, **own})


def missing_chromium() -> str | None:
    """Say why there is no browser for the tests here, or None if there is one."""
    try:
        find_program()
    except PackagesNotAvailable as missing:
        return str(missing)
    return None


def _names(options: Sequence[str], folder: Path) -> list[str]:
    return [*PACKAGES, *FONTS, *missing_libraries([*options, "--recurse"], PACKAGES, folder)]


def _write_font_settings(root: Path, folder: Path) -> None:
    settings = _FONT_SETTINGS.format(fonts=folder / "usr/share/fonts", cache=folder / "font-cache")
    (root / "fonts.conf").write_text(settings)
