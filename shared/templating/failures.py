"""What can be wrong with a template: by itself, or together with its data."""

from __future__ import annotations

from shared.errors import Permanent


class RenderingFailed(Permanent):
    """A template does not fit the event: a variable is missing, or it asks for too much. Names no value."""


class TemplateMalformed(RenderingFailed):
    """A template is none, or says what a template may not. It names the line."""

    def __init__(self, why: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {why}" if line else why)
