"""Which variables a template needs, found from its syntax tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import nodes

from shared.templating import grammar
from shared.templating.sandbox import parse

Path = tuple[str, ...]
_NONE: frozenset[Path] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """Paths as they stand in the template: `order.total`.

    Without one of `required` no message can be written. One of `conditional` is needed in a branch or loop that the
    data decides on. One of `optional` is never needed: it is only asked for, or has a default.
    """

    required: tuple[str, ...] = ()
    conditional: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    @classmethod
    def together(cls, several: Iterable[Variables]) -> Variables:
        """Tell what several templates need, when all of them are written."""
        found = list(several)
        required = {path for one in found for path in one.required}
        conditional = {path for one in found for path in one.conditional} - required
        optional = {path for one in found for path in one.optional} - required - conditional
        return cls(
            required=tuple(sorted(required)), conditional=tuple(sorted(conditional)), optional=tuple(sorted(optional))
        )


@dataclass(frozen=True, slots=True)
class _Use:
    path: Path
    is_conditional: bool
    is_asked_for: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the template: names that are its own, paths that were asked for, and whether the data leads here."""

    own: frozenset[str]
    asked_for: frozenset[Path] = _NONE
    is_conditional: bool = False

    def inside(self, asked_for: frozenset[Path] = _NONE) -> _Place:
        return _Place(self.own, self.asked_for | asked_for, is_conditional=True)

    def with_own(self, names: Iterable[str]) -> _Place:
        return _Place(self.own | set(names), self.asked_for, self.is_conditional)


@lru_cache(maxsize=500)
def variables_of(source: str) -> Variables:
    """List the variables of a template.

    Raises:
        TemplateMalformed: it is none, or says what it may not.
    """
    tree = grammar.checked(parse(source))
    strongest: dict[str, int] = {}
    for use in _uses_in_order(tree.body, _Place(frozenset())):
        strength = 0 if use.is_asked_for else 1 if use.is_conditional else 2
        name = ".".join(use.path)
        strongest[name] = max(strength, strongest.get(name, 0))
    kinds = [tuple(sorted(name for name, is_ in strongest.items() if is_ == strength)) for strength in (2, 1, 0)]
    return Variables(required=kinds[0], conditional=kinds[1], optional=kinds[2])


def missing(wanted: Iterable[str], given: Mapping[str, Any]) -> list[str]:
    """List the paths that lead nowhere."""
    return [path for path in wanted if not _leads_somewhere(path.split("."), given)]


def _leads_somewhere(steps: list[str], given: Any) -> bool:
    for step in steps:
        if not isinstance(given, Mapping) or step not in given:
            return False
        given = given[step]
    return True


def _uses_in_order(body: Iterable[nodes.Node], place: _Place) -> Iterator[_Use]:
    """Walk statements; what one sets is the next one's own."""
    for node in body:
        yield from _uses(node, place)
        if isinstance(node, nodes.Assign):
            place = place.with_own(name.name for name in _names(node.target))


def _uses(node: nodes.Node, place: _Place) -> Iterator[_Use]:
    path = _path(node)
    if path is not None:
        if path[0] not in place.own:
            is_asked_for = any(path[: len(asked)] == asked for asked in place.asked_for)
            yield _Use(path, place.is_conditional, is_asked_for)
        return
    walk = _WALKS.get(type(node))
    if walk:
        yield from walk(node, place)
        return
    for child in node.iter_child_nodes():
        yield from _uses(child, place)


def _of_if(node: nodes.If, place: _Place) -> Iterator[_Use]:
    yield from _of_condition(node.test, place)
    yield from _uses_in_order(node.body, place.inside(_asked(node.test)))
    for branch in node.elif_:
        yield from _uses(branch, place.inside())
    yield from _uses_in_order(node.else_, place.inside())


def _of_choice(node: nodes.CondExpr, place: _Place) -> Iterator[_Use]:
    yield from _of_condition(node.test, place)
    yield from _uses(node.expr1, place.inside(_asked(node.test)))
    if node.expr2 is not None:
        yield from _uses(node.expr2, place.inside())


def _of_condition(node: nodes.Node, place: _Place) -> Iterator[_Use]:
    """Walk what is only asked whether it is there, or true."""
    path = _path(node)
    if path is not None:
        yield from (_Use(use.path, use.is_conditional, is_asked_for=True) for use in _uses(node, place))
    elif isinstance(node, nodes.Not):
        yield from _of_condition(node.node, place)
    elif isinstance(node, nodes.And | nodes.Or):
        yield from _of_condition(node.left, place)
        yield from _of_condition(node.right, place.inside(_asked(node.left) if isinstance(node, nodes.And) else _NONE))
    else:
        yield from _uses(node, place)


def _of_both(node: nodes.And, place: _Place) -> Iterator[_Use]:
    """Walk `a and b` where its value is wanted: it is `a` as it stands, or where that is true `b`."""
    yield from _uses(node.left, place)
    yield from _uses(node.right, place.inside(_asked(node.left)))


def _of_either(node: nodes.Or, place: _Place) -> Iterator[_Use]:
    """Walk `a or b` where its value is wanted: `a` only if it is there and true, or else `b` as it stands."""
    yield from _of_condition(node.left, place)
    yield from _uses(node.right, place.inside())


def _asked(test: nodes.Node) -> frozenset[Path]:
    """List what is certainly there where a condition holds."""
    path = _path(test)
    if path is not None:
        return frozenset({path})
    if isinstance(test, nodes.And):
        return _asked(test.left) | _asked(test.right)
    if isinstance(test, nodes.Test) and test.name == "defined":
        return _asked(test.node)
    return _NONE


def _of_test(node: nodes.Test, place: _Place) -> Iterator[_Use]:
    walk = _of_condition if node.name in ("defined", "undefined") else _uses
    yield from walk(node.node, place)
    for word in node.args:
        yield from _uses(word, place)


def _of_filter(node: nodes.Filter, place: _Place) -> Iterator[_Use]:
    assert node.node is not None
    has_default = node.name in ("default", "d")
    yield from (_of_condition if has_default else _uses)(node.node, place)
    for word in (*node.args, *[pair.value for pair in node.kwargs]):
        yield from _uses(word, place.inside() if has_default else place)


def _of_for(node: nodes.For, place: _Place) -> Iterator[_Use]:
    yield from _uses(node.iter, place)
    inside = place.inside().with_own(["loop", *[name.name for name in _names(node.target)]])
    yield from _uses_in_order([node.test] if node.test else [], inside)
    yield from _uses_in_order(node.body, inside)
    yield from _uses_in_order(node.else_, place.inside())


def _of_assign(node: nodes.Assign, place: _Place) -> Iterator[_Use]:
    yield from _uses(node.node, place)


_WALKS: dict[type[nodes.Node], Any] = {
    nodes.If: _of_if,
    nodes.CondExpr: _of_choice,
    nodes.And: _of_both,
    nodes.Or: _of_either,
    nodes.Not: _of_condition,
    nodes.Test: _of_test,
    nodes.Filter: _of_filter,
    nodes.For: _of_for,
    nodes.Assign: _of_assign,
}


def _path(node: nodes.Node) -> Path | None:
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        before = _path(node.node)
        return (*before, node.attr) if before else None
    return None


def _names(target: nodes.Node) -> list[nodes.Name]:
    return [target] if isinstance(target, nodes.Name) else list(target.find_all(nodes.Name))
