"""What a template may say, what it costs, and what it may never do."""

from __future__ import annotations

import sys
import tracemalloc
from types import FrameType
from typing import Any

import pytest

from shared.templating import Limits, RenderingFailed, TemplateMalformed, check, write
from shared.templating.budget import LONGEST_VALUE, UNITS
from shared.templating.filters import FILTERS
from shared.templating.grammar import LONGEST_SOURCE
from shared.templating.sandbox import compiled

ORDER = {"total": 12.5, "items": [{"name": "Tea", "price": 4, "count": 2}, {"name": "Cup", "price": 4.5, "count": 1}]}
DATA: dict[str, Any] = {"user_name": "Ada", "message": "On its way", "count": 3, "order": ORDER, "nothing": None}
LONG = "x" * 100_000
MANY = list(range(20_000))
FEW = list(range(1_000))
DEEP = [[[1] * 50] * 20] * 10


def written(source: str, **variables: Any) -> str:
    return write(source, {**DATA, **variables})


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Hello {{ user_name }}", "Hello Ada"),
        ("{{ user_name|upper }} {{ user_name.lower() }} {{ ' a '|trim }}{{ 'b c'|title }}", "ADA ada aB C"),
        (
            "{{ order.total }} {{ order['total'] }} {{ order.items[0].name }} {{ order.items[-1].name }}",
            "12.5 12.5 Tea Cup",
        ),
        (
            "{% for one in order.items %}{{ loop.index }}/{{ loop.length }} {{ one.name }};{% endfor %}",
            "1/2 Tea;2/2 Cup;",
        ),
        ("{% for one in order.items if one.price > 4 %}{{ one.name }}{% else %}none{% endfor %}", "Cup"),
        ("{% for one in [] %}x{% else %}none{% endfor %}", "none"),
        ("{% for key, value in order.items() %}{{ key }},{% endfor %}", "total,items,"),
        ("{% if count == 1 %}one{% elif count >= 3 %}many{% else %}two{% endif %}", "many"),
        ("{% if nobody %}{{ nobody.name }}{% else %}-{% endif %}{{ nobody|default('?') }}", "-?"),
        ("{{ 'yes' if order.discount is defined else 'no' }}{{ order.discount|d(0) }}", "no0"),
        ("{{ 'Dr ' if doctor }}{{ user_name }}{{ '!' if count > 2 }}", "Ada!"),
        ("{% set sum = order.total * 2 %}{{ sum|round(1) }} {{ sum|int }}", "25.0 25"),
        ("{{ 'a' ~ 1 ~ none ~ true }} {{ 'a' + 'b' }}", "a1true ab"),
        ("{{ order.items|map(attribute='name')|join(', ') }}", "Tea, Cup"),
        ("{{ order.items|sum(attribute='count') }} {{ [3, 1, 2]|sort|join }} {{ [1, 2]|max }}", "3 123 2"),
        ("{{ order.items|sort(attribute='price', reverse=true)|map(attribute='name')|first }}", "Cup"),
        ("{{ 1234567.891|number }} {{ 1234.5|number(1, ',', '.') }}", "1,234,567.89 1.234,5"),
        ("{{ '2026-11-21T08:05:00Z'|date('%d.%m.%Y, %H:%M %%') }}", "21.11.2026, 08:05 %"),
        ("{{ message[:2] }} {{ message|truncate(5) }} {{ message|replace('way', 'road') }}", "On On i… On its road"),
        ("{{ [1, 2, 1, 'A', 'a']|unique|join(',') }} {{ 'a b/c'|urlencode }}", "1,2,A a%20b%2Fc"),
        ("{{ nothing }}|{{ order }}|{{ true }}|{{ 'way' in message }}", None),
        ("{% raw %}{{ no }}{% endraw %}{# nor this #}", "{{ no }}"),
        ("{{ count * 3 }} {{ 7 % 4 }} {{ 7 // 2 }} {{ 1 - 2 }} {{ 3 / 2 }} {{ -count }}", "9 3 3 -1 1.5 -3"),
        ("line\n", "line\n"),
    ],
)
def test_a_template_says_what_people_write_in_templates(source: str, text: str | None) -> None:
    found = written(source)

    assert found == (text if text is not None else f"|{ORDER}|true|true".replace("'", '"'))


MALFORMED = {
    "{{ message": "line 1: unexpected end of template",
    "a\nb {% if %}": "line 2",
    "{% endfor %}": "line 1",
    "\n\n{{ message|center(9) }}": "line 3: there is no filter 'center'",
    "{{ message|tojson }}": "there is no filter",
    "{{ message|attr('x') }}": "there is no filter",
    "{{ message|safe }}": "there is no filter",
    "{{ message|_each(0) }}": "there is no filter",
    "{{ message|upper(1) }}": "does not take these words",
    "{{ message|truncate(*order) }}": "is given words by",
    "{{ message is divisibleby }}": "does not take these words",
    "{{ message is sameas(1) }}": "there is no test",
    "{{ range(3) }}": "nothing can be called",
    "{{ message.format(1) }}": "nothing can be called",
    "{{ 'a'.ljust(10**8) }}": "cannot be used|nothing can be called",
    "{{ message.upper(1) }}": "nothing can be called",
    "{{ 9 ** 999999999 }}": r"a power \(\*\*\) cannot be used",
    "{{ [message, message] }}": "holds constants alone",
    "{{ [[1], [2]] }}": "holds constants alone",
    "{{ {'a': 1} }}": "an object cannot be made",
    "{{ 1 < count < 9 }}": "two things can be compared",
    "{% macro a() %}{{ a() }}{% endmacro %}": "a macro cannot be used",
    "{% call message() %}{% endcall %}": "cannot be used",
    "{% filter upper %}a{% endfilter %}": "a filter block",
    "{% set a %}b{% endset %}": "a set block",
    "{% include 'a' %}": "include cannot be used",
    "{% import 'a' as b %}": "import cannot be used",
    "{% from 'a' import b %}": "import cannot be used",
    "{% extends 'a' %}": "extends cannot be used",
    "{% block a %}{% endblock %}": "a block cannot be used",
    "{% with a = 1 %}{% endwith %}": "with cannot be used",
    "{% autoescape false %}{{ message }}{% endautoescape %}": "autoescape cannot be used",
    "{% for a in [1] recursive %}{{ loop(a) }}{% endfor %}": "a loop cannot call itself",
    "{% set loop = 1 %}": "'loop' is taken",
    "{% set message.x = 1 %}": "line 1",
    "{{ self }}": "there is no variable 'self'",
    "{{ _hidden }}": "there is no variable '_hidden'",
    "{{ " + "9" * 5_000 + " }}": "can be read|nested",
    "{{ " + "(" * 2_000 + "1" + ")" * 2_000 + " }}": "can be read|nested",
    "{{ " + "[" * 300 + "1" + "]" * 300 + " }}": "can be read|nested",
    "{{ " + "-" * 5_000 + "1 }}": "can be read|nested",
    "{{ " + "not " * 5_000 + "1 }}": "can be read|nested",
    "{{ " + "1 + " * 1_000 + "1 }}": "nested more than",
    "{{ message" + "|trim" * 1_000 + " }}": "nested more than",
    "{% if 1 %}" * 50 + "{% endif %}" * 50: "nested more than",
    "{% for a in [1] %}" * 30 + "{% endfor %}" * 30: "nested",
    "{{ message }}" * 5_000: "more than 2000 parts",
    "a" * (LONGEST_SOURCE + 1): "more than 100000 characters",
    "{% trans %}a{% endtrans %}": "line 1",
    "{% do 1 %}": "line 1",
}  # fmt: skip


@pytest.mark.parametrize(("source", "why"), MALFORMED.items(), ids=[source[:40] for source in MALFORMED])
def test_what_a_template_may_not_say_is_refused_before_it_is_kept(source: str, why: str) -> None:
    with pytest.raises(TemplateMalformed, match=why):
        check(source)


REACHING = (
    "{{ message.__class__ }}",
    "{{ message.__class__.__mro__[1] }}",
    "{{ message['__class__'] }}",
    "{{ message['__cl' ~ 'ass__'] }}",
    "{{ order.items.__init__ }}",
    "{{ order.update }}",
    "{{ order.__len__ }}",
    "{{ count.real }}",
    "{{ count.denominator }}",
    "{% for a in [1] %}{{ loop.changed }}{% endfor %}",
    "{% for a in [1] %}{{ loop.__class__ }}{% endfor %}",
    "{% for a in [1] %}{{ loop._iterable }}{% endfor %}",
    "{% for a in [1] %}{{ loop }}{% endfor %}",
    "{{ nobody }}",
    "{{ nobody.name }}",
    "{{ order[message] }}",
    "{{ order.items[7] }}",
    "{{ order[true] }}",
)


@pytest.mark.parametrize("source", REACHING)
def test_a_template_reaches_nothing_but_data(source: str) -> None:
    with pytest.raises(RenderingFailed):
        written(source)


GROWING = {
    "{{ 'a' * 100000000 }}": "no number",
    "{{ 100000000 * 'a' }}": "no number",
    "{{ [1] * 1000 }}": "no number",
    "{{ [1] + [1] }}": "no number",
    "{{ '%0100000000d' % 1 }}": "no number",
    "{{ message * count }}": "no number",
    "{% set a = 9223372036854775807 %}{{ a * a }}": "too large",
    "{% set a = long ~ long %}": "a text of more than",
    "{{ long + long }}": "a text of more than",
    "{% set a = 'ab' %}" + "{% set a = a ~ a %}" * 60 + "{{ a }}": "a text of more than",
    "{{ long|replace('x', 'yyyy') }}": "a text of more than",
    "{{ many|join(message) }}": "a text of more than",
    "{{ long|urlencode }}": "a text of more than",
    "{{ long|date }}": "date needs",
    "{{ 'a'|date(long) }}": "date needs",
    "{{ message|date('%' ~ long) }}": "date knows|a text of more",
    "{{ long }}{{ long }}": "more than 100000 characters",
    "{% for a in many %}{{ message }}{{ message }}{% endfor %}": "steps|characters",
    "{% for a in many %}{% for b in many %}{% endfor %}{% endfor %}": "steps",
    "{% for a in many %}{% for b in many %}{% for c in many %}{% endfor %}{% endfor %}{% endfor %}": "steps",
    "{% for a in few if a in many %}{% endfor %}": "steps",
    "{% for a in few %}{% if long == longer %}{% endif %}{% endfor %}": "steps",
    "{% for a in few %}{% set b = many|sort %}{% endfor %}": "steps",
    "{% for a in few %}{% set b = many[1:] %}{% endfor %}": "steps",
    "{% for a in few %}{% set b = long|upper %}{% endfor %}": "steps",
    "{% for a in few %}{% set b = long ~ none %}{% endfor %}": "steps",
    "{{ long|map('x')|join }}": "steps",
    "{% for a in deep %}{{ deep }}{% endfor %}" * 20: "steps|100000 characters",
    "{% for a in " + "[" + "1," * 900 + "]%}{% for b in [" + "1," * 900 + "] %}x{% endfor %}{% endfor %}": "steps",
}


@pytest.mark.parametrize(("source", "why"), GROWING.items(), ids=[source[:50] for source in GROWING])
def test_nothing_makes_much_out_of_little(source: str, why: str) -> None:
    with pytest.raises(RenderingFailed, match=why):
        written(source, long=LONG, longer=LONG + "y", many=MANY, few=FEW, deep=DEEP)


ALWAYS_QUICK = frozenset({"abs", "count", "d", "date", "default", "float", "int", "length", "number", "round"})
"""Filters that do not go through what they are given."""

WORDS = {"map": "('x')", "replace": "('a', 'b')"}


@pytest.mark.parametrize("name", sorted(FILTERS.keys() - ALWAYS_QUICK))
def test_a_filter_pays_for_what_it_goes_through(name: str) -> None:
    told = set()
    for subject in ("long", "half", "many", "pairs"):
        try:
            source = f"{{% for a in few %}}{{% set b = {subject}|{name}{WORDS.get(name, '')} %}}{{% endfor %}}"
            written(
                source, long=LONG, half=LONG[:8_000], many=MANY, few=FEW, pairs={str(number): number for number in MANY}
            )
        except RenderingFailed as why:
            told.add(str(why))

    assert f"it takes more than {UNITS} steps" in told


@pytest.mark.parametrize("source", GROWING, ids=[source[:50] for source in GROWING])
def test_what_grows_ends_after_bounded_work_and_in_bounded_memory(source: str) -> None:
    data = {"long": LONG, "longer": LONG + "y", "many": MANY, "few": FEW, "deep": DEEP}
    compiled(source)
    calls = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += 1

    tracemalloc.start()
    sys.setprofile(count)
    try:
        write(source, data)
    except RenderingFailed:
        pass
    finally:
        sys.setprofile(None)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert calls < 20 * UNITS
    assert peak_bytes < 20_000_000


def test_a_rendering_that_failed_leaves_the_next_one_its_whole_budget() -> None:
    for _ in range(3):
        with pytest.raises(RenderingFailed):
            written("{% for a in many %}{% for b in many %}{% endfor %}{% endfor %}", many=MANY)

    assert written("{% for a in many %}.{% endfor %}", many=MANY[:10_000]) == "." * 10_000


def test_a_text_may_be_as_long_as_the_limit_and_not_longer() -> None:
    assert write("{{ text }}", {"text": "abc"}, limits=Limits(characters=3)) == "abc"
    with pytest.raises(RenderingFailed, match="more than 3 characters"):
        write("{{ text }}d", {"text": "abc"}, limits=Limits(characters=3))
    assert len(written("{{ a ~ 'b' }}", a="a" * (LONGEST_VALUE - 1))) == LONGEST_VALUE


def test_html_escapes_what_the_data_says_and_not_what_the_template_says() -> None:
    source = "<b title='{{ x }}'>{{ x }}</b>{{ x ~ '<i>' }}{{ x|upper }}{% for one in [x] %}{% endfor %}"

    with pytest.raises(TemplateMalformed):
        check(source)
    found = write(source[: source.index("{% for")], {"x": "<a href=\"'&"}, is_html=True)

    escaped = "&lt;a href=&#34;&#39;&amp;"
    assert found == f"<b title='{escaped}'>{escaped}</b>{escaped}&lt;i&gt;{escaped.replace('a href', 'A HREF')}"


def test_text_escapes_nothing() -> None:
    assert written("{{ x }}", x="<a> & 'b'") == "<a> & 'b'"


@pytest.mark.parametrize(
    "source",
    [
        "{{ secret[0:1] + 1 }}",
        "{{ secret|int + secret }}",
        "{{ order[secret] }}",
        "{{ secret|date }}",
        "{{ secret < 1 }}",
        "{{ secret|round }}",
        "{{ count / 0 }}{{ secret }}",
        "{% for a in secret %}{% endfor %}",
        "{{ secret|items }}",
    ],
)
def test_what_goes_wrong_is_told_without_the_data(source: str) -> None:
    with pytest.raises(RenderingFailed) as caught:
        written(source, secret="SECRET")

    assert "SECRET" not in str(caught.value)


def test_what_is_missing_is_told_by_its_name() -> None:
    for source, name in [("{{ nobody }}", "nobody"), ("{{ order.colour }}", "colour"), ("{{ a|upper }}", "a")]:
        with pytest.raises(RenderingFailed, match=f"'{name}' is undefined"):
            written(source)


def test_data_is_never_taken_for_a_template() -> None:
    assert written("{{ message }}", message="{{ 7 * 7 }}{% include 'x' %}") == "{{ 7 * 7 }}{% include 'x' %}"


def test_a_loop_changes_no_data() -> None:
    data = {"items": [3, 1, 2]}

    write("{% set items2 = items|sort %}{% for a in items|reverse %}{{ a }}{% endfor %}", data)

    assert data == {"items": [3, 1, 2]}
