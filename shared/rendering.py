"""Put an event into words: Jinja templates, sandboxed, compiled once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from shared.errors import Permanent
from shared.statuses import Channel

LONGEST_TEXT = 100_000


class RenderingFailed(Permanent):
    """A template does not fit the event: a variable is missing, or it asks for what it may not."""


@dataclass(frozen=True, slots=True)
class Template:
    """The words for one channel."""

    subject: str
    text: str


PLAIN = Template(subject="{{ title }}", text="{{ message }}")
LETTER = Template(
    subject="{{ title }}",
    text="Hello{% if user_name %} {{ user_name }}{% endif %},\n\n{{ message }}\n",
)
WITHDRAWN = Template(subject="Withdrawn: {{ title }}", text="Please disregard what we wrote before: {{ message }}")
AS_GIVEN = "as-given"
"""Nothing but the words of the request: its subject is the subject, its message the text."""

BUILT_IN: dict[str, dict[Channel, Template]] = {
    "plain": {channel: (LETTER if channel is Channel.EMAIL else PLAIN) for channel in Channel},
    "withdrawn": dict.fromkeys(Channel, WITHDRAWN),
    AS_GIVEN: dict.fromkeys(Channel, Template(subject="{{ subject }}", text="{{ message }}")),
}


class _Sandbox(ImmutableSandboxedEnvironment):
    """No attribute tricks, no mutation, and no operator that makes much out of little."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse to multiply text and to raise to powers."""
        if operator == "**" or not all(isinstance(side, int | float) for side in (left, right)):
            raise RenderingFailed(f"the operator {operator} is for small numbers only")
        return super().call_binop(context, operator, left, right)


@lru_cache(maxsize=1)
def _sandbox() -> _Sandbox:
    environment = _Sandbox(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    for filler in ("center", "indent", "format", "wordwrap", "xmlattr", "tojson"):
        environment.filters.pop(filler, None)
    environment.globals.clear()
    return environment


@lru_cache(maxsize=2000)
def _compiled(source: str) -> Any:
    return _sandbox().from_string(source)


@lru_cache(maxsize=1000)
def title_of(event_type: str) -> str:
    """Make a subject of an event type: `order_created` becomes "Order created"."""
    words = event_type.replace("_", " ").replace(".", " ").replace("-", " ").split()
    return " ".join(words).capitalize()


def render(name: str, channel: Channel, variables: Mapping[str, Any]) -> dict[str, str]:
    """Render a template's subject and text for a channel.

    Raises:
        RenderingFailed: the template does not exist, or does not fit; the reason names the variable, not its value.
    """
    template = BUILT_IN.get(name, {}).get(channel)
    if template is None:
        raise RenderingFailed(f"there is no template {name!r} for {channel}")
    try:
        subject = _compiled(template.subject).render(variables)
        text = _compiled(template.text).render(variables)
    except TemplateError as broken:
        raise RenderingFailed(f"template {name!r}: {broken}"[:300]) from None
    except RenderingFailed:
        raise
    except Exception as broken:  # 1 / 0, text + number: its text may repeat a value
        raise RenderingFailed(f"template {name!r}: {type(broken).__name__}") from None
    if len(text) > LONGEST_TEXT or len(subject) > LONGEST_TEXT:
        raise RenderingFailed(f"template {name!r} makes more than {LONGEST_TEXT} characters")
    return {"subject": " ".join(subject.split())[:400], "text": text}
