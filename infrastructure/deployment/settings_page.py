"""Write `docs/settings.md` from the settings and the table of where each is said on a cluster.

Run it after a change: `python -m infrastructure.deployment.settings_page`. A test compares the committed file.
"""

from __future__ import annotations

from pathlib import Path

from pydantic.fields import FieldInfo

from infrastructure.deployment.places import ELSEWHERE, Place, place_of
from shared.settings import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"

HEAD = """# Settings

Written by `python -m infrastructure.deployment.settings_page`: change `shared/settings.py`, not this.

Settings come from the environment. What is not there is looked for in the folder that `SECRETS_DIR` names, as a file
named like the setting (`DATABASE_URL`, or `database-url`). What is empty is not set. Nothing else is read.

On a cluster a setting is said in one of these places:

| place | where |
|---|---|
| secret | in the secret `carillon`; each function's manifest names the keys that it reads, and gets no others |
| settings | in `settings.env` of the overlay, for all functions |
| manifest | in each function's own manifest |
| nowhere | it is left as it is: the reason stands beside it |

| setting | default | on a cluster | what it does |
|---|---|---|---|
"""


def page() -> str:
    """Write the page."""
    return HEAD + "".join(_row(name, field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    place = place_of(name)
    why = f": {ELSEWHERE[name][1]}" if place is Place.NOWHERE else ""
    about = (field.description or "").replace("|", "\\|")
    return f"| `{name.upper()}` | {_default(field.default)} | {place}{why} | {about} |\n"


def _default(value: object) -> str:
    if value is None:
        return "not set"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


def main() -> None:
    """Write it down."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
