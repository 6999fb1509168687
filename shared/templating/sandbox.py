"""Compile a template that is allowed, and write with it within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from shared.templating import grammar
from shared.templating.budget import CURRENT, Budget, bear, spend
from shared.templating.failures import RenderingFailed, TemplateMalformed
from shared.templating.filters import FILTERS, compare, concatenate, cut, each
from shared.templating.grammar import COMPARE, CONCATENATE, CUT, EACH, LONGEST_SOURCE
from shared.templating.values import Missing, entry, holds, number, present, spelled

COMPILED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a rendering may write."""

    characters: int = 100_000


@dataclass(frozen=True, slots=True)
class Compiled:
    """A template ready to be written with, and what it costs before any data."""

    template: Template
    weight: int


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja with data as its whole world: no attribute of any Python object can be reached."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def __init__(self, *, is_html: bool) -> None:
        super().__init__(
            autoescape=is_html,
            undefined=Missing,
            finalize=_finalize,
            keep_trailing_newline=True,
            optimized=False,  # nothing is worked out while compiling: there is no budget then
            cache_size=0,
        )
        inner = {CONCATENATE: concatenate, COMPARE: compare, EACH: each, CUT: cut}
        self.filters = {**FILTERS, **inner}
        self.tests = {name: test for name, test in self.tests.items() if name in grammar.TESTS}
        self.globals = {}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look into data by a name that stands in the template."""
        if isinstance(obj, StrictUndefined):
            return obj
        return entry(obj, attribute) if holds(obj, attribute) else Missing(name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look into data by a value: its name may be personal, and is not told."""
        if isinstance(obj, StrictUndefined):
            return obj
        return entry(obj, argument) if holds(obj, argument) else Missing(hint="it looks up what is not there")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Reckon with numbers, and put texts together."""
        left, right = present(left), present(right)
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            bear(len(left) + len(right))
            return left + right
        return number(super().call_binop(context, operator, number(left), number(right)))


@pass_context
def _finalize(_context: Context, value: Any) -> str:
    """Write what stands between braces. Asks for the context so that Jinja never does it while compiling."""
    return spelled(value)


@lru_cache(maxsize=2)
def _environment(*, is_html: bool) -> _Environment:
    return _Environment(is_html=is_html)


def parse(source: str) -> nodes.Template:
    """Read a template, as it may be.

    Raises:
        TemplateMalformed: it is none, or says what it may not.
    """
    if len(source) > LONGEST_SOURCE:
        raise TemplateMalformed(f"it has more than {LONGEST_SOURCE} characters")
    try:
        return _environment(is_html=False).parse(source)
    except TemplateSyntaxError as broken:
        raise TemplateMalformed(broken.message or "it is no template", broken.lineno) from None
    except (RecursionError, ValueError, TemplateError):  # brackets in brackets; a number of thousands of digits
        raise TemplateMalformed("it is no template that can be read") from None


@lru_cache(maxsize=COMPILED_AT_ONCE)
def compiled(source: str, *, is_html: bool = False) -> Compiled:
    """Compile a template, once for as long as it is used.

    Raises:
        TemplateMalformed: it is none, or says what it may not.
    """
    tree = grammar.checked(parse(source))
    environment = _environment(is_html=is_html)
    weight = grammar.count(tree)
    for node in tree.find_all(nodes.Node):
        node.environment = environment
    tree.environment = environment
    try:
        code = environment.compile(tree)
        return Compiled(Template.from_code(environment, code, {}), weight)
    except (SyntaxError, RecursionError, MemoryError, ValueError, TemplateError):  # too many loops in one another
        raise TemplateMalformed("it is nested too deeply") from None


def check(source: str) -> None:
    """Let a template pass, or say what is wrong with it.

    Raises:
        TemplateMalformed: it is none, or says what it may not.
    """
    compiled(source)


def write(source: str, variables: Mapping[str, Any], *, is_html: bool = False, limits: Limits = Limits()) -> str:
    """Render a template within its budget.

    Raises:
        RenderingFailed: it does not fit the variables, or asks for too much; the text names no value.
    """
    ready = compiled(source, is_html=is_html)
    token = CURRENT.set(Budget())
    try:
        spend(ready.weight)
        return _written(ready.template, variables, limits)
    except RenderingFailed:
        raise
    except TemplateError as broken:
        raise RenderingFailed(str(broken)[:200]) from None
    except Exception as broken:  # 1 / 0, "a" < 1: its text may repeat a value
        raise RenderingFailed(type(broken).__name__) from None
    finally:
        CURRENT.reset(token)


def _written(template: Template, variables: Mapping[str, Any], limits: Limits) -> str:
    chunks, length = [], 0
    for chunk in template.root_render_func(template.new_context(dict(variables))):
        length += len(chunk)
        if length > limits.characters:
            raise RenderingFailed(f"it makes more than {limits.characters} characters")
        chunks.append(chunk)
    return "".join(chunks)
