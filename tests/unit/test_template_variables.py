"""Which variables a template needs, and which only perhaps."""

from __future__ import annotations

import pytest

from shared.templating import Variables, missing, variables_of


@pytest.mark.parametrize(
    ("source", "required", "conditional", "optional"),
    [
        ("no variable", [], [], []),
        ("{{ a }} {{ b.c.d }} {{ b['e'] }} {{ f[0].g }}", ["a", "b.c.d", "b.e", "f"], [], []),
        ("{{ a|upper }} {{ b ~ c }} {{ d + 1 }} {{ e[:2] }} {{ f.items() }}", ["a", "b", "c", "d", "e", "f"], [], []),
        ("{{ a|replace(b, c) }} {{ d|truncate(length=e) }}", ["a", "b", "c", "d", "e"], [], []),
        ("{{ a|default('x') }} {{ b|d(c) }}", [], ["c"], ["a", "b"]),
        ("{{ a|default('x')|upper }} {{ a }}", ["a"], [], []),
        ("{% if a %}{{ a }} {{ a.b }} {{ c }}{% else %}{{ d }}{% endif %}", [], ["c", "d"], ["a", "a.b"]),
        ("{% if a is defined %}{{ a }}{% endif %}{% if b is undefined %}{{ b }}{% endif %}", [], ["b"], ["a"]),
        ("{% if a and b %}{{ a }}{{ b }}{% endif %}", [], [], ["a", "b"]),
        ("{% if a or b %}{{ a }}{% endif %}", [], ["a"], ["b"]),
        ("{% if not a %}{{ a }}{% endif %}", [], ["a"], []),
        ("{% if a == 1 %}{{ b }}{% elif c %}{{ c }}{% endif %}", ["a"], ["b"], ["c"]),
        ("{% if a and a.b > 1 %}x{% endif %}", [], [], ["a", "a.b"]),
        ("{{ a and b }}", ["a"], ["b"], []),
        ("{{ a or b }}", [], ["b"], ["a"]),
        ("{% for one in a and b %}x{% endfor %}", ["a"], ["b"], []),
        ("{{ a if b else c }} {{ d if d }}", [], ["a", "c"], ["b", "d"]),
        ("{% for x in xs %}{{ x.y ~ loop.last ~ z }}{% else %}{{ w }}{% endfor %}{{ x }}", ["x", "xs"], ["w", "z"], []),
        ("{% for k, v in a.items() if v > b %}{{ k }}{% endfor %}", ["a"], ["b"], []),
        ("{% set a = b %}{{ a }} {{ c }}{% set c = 1 %}{{ c }}", ["b", "c"], [], []),
        ("{% for x in xs if x %}{% set y = x %}{{ y }}{% endfor %}", ["xs"], [], []),
    ],
)  # fmt: skip
def test_the_variables_are_found_in_the_template(
    source: str, required: list[str], conditional: list[str], optional: list[str]
) -> None:
    found = variables_of(source)

    assert (list(found.required), list(found.conditional), list(found.optional)) == (required, conditional, optional)


def test_several_templates_need_together_what_each_of_them_needs() -> None:
    found = Variables.together(map(variables_of, ["{{ a }}", "{{ a|d }}{{ b|d }}", "{% if b %}{{ c }}{% endif %}"]))

    assert found == Variables(required=("a",), conditional=("c",), optional=("b",))


def test_what_is_missing_is_what_leads_nowhere() -> None:
    given = {"a": {"b": None}, "c": [1], "d": ""}

    assert missing(["a", "a.b", "a.b.c", "a.x", "c", "c.d", "d", "e"], given) == ["a.b.c", "a.x", "c.d", "e"]
