"""What a template may say, checked on its syntax tree; and the tree rewritten so that everything pays for its work.

What is not in these tables is refused: calls and macros, includes and inheritance, attributes of anything but data,
powers, and lists or objects that hold more than constants (they would be the way to make much out of little).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from jinja2 import nodes

from shared.templating.failures import TemplateMalformed
from shared.templating.filters import FILTERS, METHODS

MOST_NODES = 2_000
DEEPEST = 40
LONGEST_SOURCE = 100_000
CONCATENATE, COMPARE, EACH, CUT = "_concatenate", "_compare", "_each", "_cut"
"""Filters that no template can name: a name in Jinja's syntax may begin so, and is refused."""

SIMPLE: frozenset[type[nodes.Node]] = frozenset(
    {
        *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.If, nodes.CondExpr, nodes.Keyword),
        *(nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos, nodes.Getattr, nodes.Getitem, nodes.Slice),
        *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Concat, nodes.Operand),
    }
)
TESTS = frozenset(
    {
        *("defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "true", "false"),
        *("mapping", "sequence", "iterable", "odd", "even", "divisibleby"),
    }
)
NOT_VARIABLES = frozenset({"self", "super", "caller", "varargs", "kwargs"})


def checked(tree: nodes.Template) -> nodes.Template:
    """Refuse what is not allowed, and let everything that depends on the data pay.

    Raises:
        TemplateMalformed: with the line.
    """
    _measure(tree)
    for node in list(_every(tree)):
        _check(node)
    for node in list(_every(tree)):
        _weigh_loop(node)
    rewritten: nodes.Template = _rewritten(tree)
    return rewritten


def count(tree: nodes.Node) -> int:
    """Count the nodes."""
    return sum(1 for _ in _every(tree))


def _every(tree: nodes.Node) -> Iterator[nodes.Node]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.iter_child_nodes())


def _measure(tree: nodes.Node) -> None:
    """Refuse what is too big or too deep, level by level: whoever comes next may recurse."""
    level, seen = [tree], 0
    for _ in range(DEEPEST):
        seen += len(level)
        if seen > MOST_NODES:
            raise TemplateMalformed(f"it has more than {MOST_NODES} parts", level[0].lineno)
        level = [child for node in level for child in node.iter_child_nodes()]
        if not level:
            return
    raise TemplateMalformed(f"it is nested more than {DEEPEST} levels deep", level[0].lineno)


def _check(node: nodes.Node) -> None:
    rule = _RULES.get(type(node))
    if rule is not None:
        why = rule(node)
        if why:
            raise TemplateMalformed(why, node.lineno)
    elif type(node) not in SIMPLE:
        raise TemplateMalformed(f"{_WORDS.get(type(node), type(node).__name__)} cannot be used here", node.lineno)


def _check_name(node: nodes.Name) -> str:
    if node.name.startswith("_") or node.name in NOT_VARIABLES:
        return f"there is no variable {node.name[:64]!r}"
    return "'loop' is taken" if node.name == "loop" and node.ctx != "load" else ""


def _check_filter(node: nodes.Filter) -> str:
    known = FILTERS.get(node.name)
    if known is None or node.node is None:
        return f"there is no filter {node.name[:64]!r}"
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return f"the filter {node.name} is given words by * or **"
    try:
        inspect.signature(known).bind(None, *node.args, **{str(pair.key): pair.value for pair in node.kwargs})
    except TypeError:
        return f"the filter {node.name} does not take these words"
    return ""


def _check_test(node: nodes.Test) -> str:
    if node.name not in TESTS:
        return f"there is no test {node.name[:64]!r}"
    takes = 1 if node.name == "divisibleby" else 0
    fits = len(node.args) == takes and not node.kwargs and node.dyn_args is None and node.dyn_kwargs is None
    return "" if fits else f"the test {node.name} does not take these words"


def _check_call(node: nodes.Call) -> str:
    is_habit = isinstance(node.node, nodes.Getattr) and node.node.attr in METHODS
    has_words = node.args or node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None
    return "" if is_habit and not has_words else "nothing can be called; there are filters"


def _check_for(node: nodes.For) -> str:
    return "a loop cannot call itself" if node.recursive else ""


def _check_literal(node: nodes.List | nodes.Tuple | nodes.Dict) -> str:
    if isinstance(node, nodes.Tuple) and node.ctx == "store":
        return ""
    if isinstance(node, nodes.Dict):
        return "an object cannot be made here"
    are_constants = all(isinstance(item, nodes.Const) for item in node.items)
    return "" if are_constants else "a list that is made here holds constants alone"


def _check_compare(node: nodes.Compare) -> str:
    return "" if len(node.ops) == 1 else "two things can be compared, not three"


_RULES: dict[type[nodes.Node], Callable[[Any], str]] = {
    nodes.Name: _check_name,
    nodes.Filter: _check_filter,
    nodes.Test: _check_test,
    nodes.Call: _check_call,
    nodes.For: _check_for,
    nodes.Assign: lambda node: "",
    nodes.List: _check_literal,
    nodes.Tuple: _check_literal,
    nodes.Dict: _check_literal,
    nodes.Compare: _check_compare,
}
_WORDS: dict[type[nodes.Node], str] = {
    nodes.Pow: "a power (**)",
    nodes.Macro: "a macro",
    nodes.CallBlock: "a call block",
    nodes.FilterBlock: "a filter block",
    nodes.AssignBlock: "a set block",
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "import",
    nodes.Extends: "extends",
    nodes.Block: "a block",
    nodes.With: "with",
    nodes.NSRef: "a namespace",
    nodes.Scope: "autoescape",
    nodes.ScopedEvalContextModifier: "autoescape",
}


def _weigh_loop(node: nodes.Node) -> None:
    if isinstance(node, nodes.For):
        assert isinstance(node.iter, nodes.Expr)
        node.iter = _filter(node.iter, EACH, nodes.Const(count(node) - count(node.iter)))


def _rewritten(node: Any) -> Any:
    """Replace, from the leaves up, what Python would do for nothing by filters that are paid for."""
    for name in node.fields:
        value = getattr(node, name)
        if isinstance(value, list):
            value[:] = [_rewritten(one) if isinstance(one, nodes.Node) else one for one in value]
        elif isinstance(value, nodes.Node):
            setattr(node, name, _rewritten(value))
    rewrite = _REWRITES.get(type(node))
    return rewrite(node) if rewrite else node


def _filter(subject: nodes.Expr, name: str, *words: nodes.Expr) -> nodes.Filter:
    made = nodes.Filter(subject, name, list(words), [], None, None)
    made.set_lineno(subject.lineno)
    return made


def _rewrite_choice(node: nodes.CondExpr) -> nodes.Expr:
    """Write nothing where `if` has no `else`, as Jinja does when it is not strict."""
    if node.expr2 is None:
        node.expr2 = nodes.Const("", lineno=node.lineno)
    return node


def _rewrite_getitem(node: nodes.Getitem) -> nodes.Expr:
    """Make a constant key an attribute, whose name is the template's; a slice a filter."""
    if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return nodes.Getattr(node.node, node.arg.value, node.ctx, lineno=node.lineno)
    if isinstance(node.arg, nodes.Slice):
        ends = [end or nodes.Const(None) for end in (node.arg.start, node.arg.stop, node.arg.step)]
        return _filter(node.node, CUT, *ends)
    return node


def _rewrite_compare(node: nodes.Compare) -> nodes.Expr:
    (operand,) = node.ops
    return _filter(node.expr, COMPARE, nodes.Const(operand.op), operand.expr)


def _rewrite_call(node: nodes.Call) -> nodes.Expr:
    assert isinstance(node.node, nodes.Getattr)
    return _filter(node.node.node, METHODS[node.node.attr])


_REWRITES: dict[type[nodes.Node], Callable[[Any], nodes.Node]] = {
    nodes.Getitem: _rewrite_getitem,
    nodes.Compare: _rewrite_compare,
    nodes.Call: _rewrite_call,
    nodes.CondExpr: _rewrite_choice,
    nodes.Concat: lambda node: _filter(nodes.List(node.nodes, lineno=node.lineno), CONCATENATE),
}
