"""Put an event into words: those that a tenant has written, else our own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from shared.statuses import Channel
from shared.templates import FALLBACK_LANGUAGE, Template, TemplateVersion
from shared.templating import Limits, RenderingFailed, Variables, variables_of, write

__all__ = ["BUILT_IN", "LONGEST_SUBJECT", "LONGEST_TEXT", "RenderingFailed", "Template", "render", "title_of"]

LONGEST_TEXT = 100_000
LONGEST_SUBJECT = 400

PLAIN = Template(subject="{{ title }}", text="{{ message }}")
LETTER = Template(
    subject="{{ title }}",
    text="Hello{% if user_name %} {{ user_name }}{% endif %},\n\n{{ message }}\n",
)
WITHDRAWN = Template(subject="Withdrawn: {{ title }}", text="Please disregard what we wrote before: {{ message }}")
AS_GIVEN = "as-given"
"""Nothing but the words of the request: its subject is the subject, its message the text."""

_DIGEST_SUBJECT = "{{ title }}: {{ count }}"
_DIGEST_LINES = (
    "{% for event in events[:most] %}- {{ event.message }}\n{% endfor %}"
    "{% set shown = most if events | length > most else events | length %}"
    "{% if count > shown %}- and {{ count - shown }} more\n{% endif %}"
)
_SHORT = "{{ title }}: {{ count }}\n{% set most = 3 %}" + _DIGEST_LINES
DIGEST_LETTER = Template(
    subject=_DIGEST_SUBJECT,
    text="Hello{% if user_name %} {{ user_name }}{% endif %},\n\n{% set most = 100 %}" + _DIGEST_LINES,
)
BUILT_IN: dict[str, dict[Channel, Template]] = {
    "plain": {channel: (LETTER if channel is Channel.EMAIL else PLAIN) for channel in Channel},
    "withdrawn": dict.fromkeys(Channel, WITHDRAWN),
    "digest": {
        channel: (DIGEST_LETTER if channel is Channel.EMAIL else Template(subject=_DIGEST_SUBJECT, text=_SHORT))
        for channel in Channel
    },
    AS_GIVEN: dict.fromkeys(Channel, Template(subject="{{ subject }}", text="{{ message }}")),
}

_LIMITS = Limits(characters=LONGEST_TEXT)


@lru_cache(maxsize=1000)
def title_of(event_type: str) -> str:
    """Make a subject of an event type: `order_created` becomes "Order created"."""
    words = event_type.replace("_", " ").replace(".", " ").replace("-", " ").split()
    return " ".join(words).capitalize()


def built_in(name: str) -> TemplateVersion | None:
    """Find a template of our own, as version 0."""
    words = BUILT_IN.get(name)
    contents = {channel: {FALLBACK_LANGUAGE: one} for channel, one in words.items()} if words else None
    return TemplateVersion(name=name, version=0, contents=contents) if contents else None


def render(
    name: str,
    channel: Channel,
    variables: Mapping[str, Any],
    stored: TemplateVersion | None = None,
    locale: str = FALLBACK_LANGUAGE,
) -> dict[str, str]:
    """Render a template for a channel: `subject`, `text`, for e-mail `html` where there is one.

    What a tenant has published goes before what is built in; `language` tells in which language it was found.

    Raises:
        RenderingFailed: the template does not exist, or does not fit; the reason names the variable, not its value.
    """
    found = stored.words(channel, locale) if stored else None
    template = found[1] if found else BUILT_IN.get(name, {}).get(channel)
    if template is None:
        raise RenderingFailed(f"there is no template {name!r} for {channel}")
    try:
        words = write_words(channel, template, variables)
    except RenderingFailed as broken:
        raise RenderingFailed(f"template {name!r}: {broken}"[:300]) from None
    return {**words, "language": found[0]} if found else words


def write_words(channel: Channel, template: Template, variables: Mapping[str, Any]) -> dict[str, str]:
    """Write every part of the words of a channel.

    Raises:
        RenderingFailed: one of them does not fit the variables.
    """
    subject = write(template.subject, variables, limits=_LIMITS)
    words = {
        "subject": " ".join(subject.split())[:LONGEST_SUBJECT],
        "text": write(template.text, variables, limits=_LIMITS),
    }
    if template.html and channel is Channel.EMAIL:
        words["html"] = write(template.html, variables, is_html=True, limits=_LIMITS)
    return words


def needs(channel: Channel, template: Template) -> Variables:
    """Tell what the words of one channel need."""
    sources = [template.subject, template.text]
    if template.html and channel is Channel.EMAIL:
        sources.append(template.html)
    return Variables.together(map(variables_of, sources))
