"""Whatever somebody writes as a template: it is refused, or it writes a bounded text, and nothing else ever happens."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.templating import Limits, RenderingFailed, check, variables_of, write
from shared.templating.filters import FILTERS

LIMITS = Limits(characters=5_000)
DATA: dict[str, Any] = {
    "a": "SECRET", "b": 7, "c": [1, "x", None, {"d": 2}], "d": {"a": {"b": [True]}}, "e": None, "f": 1.5, "g": [],
    "h": "é😀<&>",
}  # fmt: skip
NAMES = [
    *DATA,
    "nobody",
    "loop",
    "self",
    "_x",
    "a.b",
    "d.a.b",
    "c[0]",
    "c[3].d",
    "d['a']",
    "c[1:]",
    "a[::-1]",
    "d.items()",
]
ATOMS = st.sampled_from([*NAMES, "1", "0", "-1", "2.5", "'s'", "none", "true", "[1, 2]", "[a]", "{'k': 1}", "9" * 19])
FILTER = st.sampled_from(
    [*FILTERS, "center", "safe", "attr('x')", "map('d')", "default(a)", "truncate(2)", "replace(a, h)"]
)
OPERATORS = st.sampled_from(
    ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", ">=", "in", "not in", "and", "or", "**"]
)
TESTS = st.sampled_from(
    ["defined", "none", "odd", "divisibleby(0)", "divisibleby 3", "mapping", "undefined", "callable"]
)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, FILTER).map("|".join),
        st.tuples(inner, OPERATORS, inner).map(lambda parts: f"({' '.join(parts)})"),
        st.tuples(inner, TESTS).map(lambda parts: f"({parts[0]} is {parts[1]})"),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} if {parts[1]} else {parts[2]})"),
        inner.map(lambda part: f"(not {part})"),
        inner.map(lambda part: f"c[{part}]"),
    )


EXPRESSIONS = st.recursive(ATOMS, larger, max_leaves=8)
STATEMENTS = st.recursive(
    st.one_of(EXPRESSIONS.map(lambda it: f"{{{{ {it} }}}}"), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.tuples(EXPRESSIONS, inner, inner).map(
            lambda it: f"{{% if {it[0]} %}}{it[1]}{{% else %}}{it[2]}{{% endif %}}"
        ),
        st.tuples(EXPRESSIONS, inner).map(
            lambda it: f"{{% for a in {it[0]} %}}{it[1]}{{{{ loop.index }}}}{{% endfor %}}"
        ),
        st.tuples(EXPRESSIONS, inner).map(lambda it: f"{{% set z = {it[0]} %}}{it[1]}{{{{ z }}}}"),
        st.lists(inner, max_size=4).map("".join),
    ),
    max_leaves=8,
)
PIECES = st.lists(
    st.sampled_from(["{{", "}}", "{%", "%}", "{#", "if", "for", " in ", " a", "|", "(", ")", "[", "'", "\n", "-"]),
    max_size=30,
).map("".join)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(source=st.one_of(STATEMENTS, PIECES))
@example(source="{{ (a if nobody) }}")
@example(source="{% for a in c %}{% set c = a %}{{ c }}{% endfor %}")
def test_a_template_is_refused_or_writes_a_bounded_text_or_says_why_not_without_the_data(source: str) -> None:
    told = ""
    try:
        check(source)
        variables_of(source)
        for is_html in (False, True):
            assert len(write(source, DATA, is_html=is_html, limits=LIMITS)) <= LIMITS.characters
    except RenderingFailed as why:
        told = str(why)

    assert "SECRET" not in told


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(source=STATEMENTS)
@example(source="{% for a in (a and nobody) %}{{ a }}{% endfor %}")
@example(source="{{ (nobody or nobody) }}")
def test_a_template_that_certainly_needs_nothing_else_does_not_fail_for_it(source: str) -> None:
    told = ""
    try:
        found = variables_of(source)
        if not any(path.startswith("nobody") for path in (*found.required, *found.conditional)):
            write(source, DATA, limits=LIMITS)
    except RenderingFailed as why:
        told = str(why)

    assert "'nobody' is undefined" not in told
