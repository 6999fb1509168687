"""Whole numbers in JSON: 3.0 is 3 (JSON Schema, 6.1.1), while "3" and true are none."""

from __future__ import annotations

from pydantic import BeforeValidator


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""Stands behind a strict integer's bounds: before them it would hide them from the specification."""
