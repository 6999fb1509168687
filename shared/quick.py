"""Records that every notification makes a dozen of: frozen for whoever writes code, made without the guard.

A frozen dataclass sets each of its fields by way of `object.__setattr__`, which is two thirds of what it costs to make
one: a tenth of the interpreter's time under load (docs/decisions/0047-made-quickly.md). The type checker refuses an
assignment to a field of these as of any other frozen dataclass; nobody refuses it while they run.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

T = TypeVar("T")

_GUARDS = ("__setattr__", "__delattr__")


def quick(cls: type[T]) -> type[T]:
    """Give a frozen dataclass an initialiser that assigns. To be written above `@dataclass(frozen=True)`."""
    defaults: dict[str, Any] = {}
    places: list[str] = []
    names: list[str] = []
    for one in fields(cls):  # type: ignore[arg-type]
        parameter = one.name + _default(one, defaults)
        (names if one.kw_only else places).append(parameter)
    lines = [f" self.{one.name} = {_value(one)}" for one in fields(cls)]  # type: ignore[arg-type]
    parameters = ", ".join(["self", *places, *(["*", *names] if names else [])])
    made: dict[str, Any] = {}
    exec(f"def __init__({parameters}):\n" + "\n".join(lines or [" pass"]), defaults, made)  # noqa: S102 - our own names
    initialise = made["__init__"]
    initialise.__qualname__ = f"{cls.__qualname__}.__init__"
    initialise.__annotations__ = dict(cls.__init__.__annotations__)
    cls.__init__ = initialise  # type: ignore[method-assign]
    for guard in _GUARDS:
        if guard in vars(cls):
            delattr(cls, guard)
    if cls.__setattr__ is not object.__setattr__:
        raise TypeError(f"a base of {cls.__name__} is guarded")
    return cls


def _default(one: Field[Any], defaults: dict[str, Any]) -> str:
    if one.default is MISSING and one.default_factory is MISSING:
        return ""
    defaults[f"_{one.name}"] = _MADE if one.default is MISSING else one.default
    defaults[f"_make_{one.name}"] = one.default_factory
    defaults["_MADE"] = _MADE
    return f"=_{one.name}"


def _value(one: Field[Any]) -> str:
    if one.default_factory is MISSING:
        return one.name
    return f"_make_{one.name}() if {one.name} is _MADE else {one.name}"


_MADE = object()
