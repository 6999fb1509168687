"""The words of a template: for each channel in several languages, as one version that is never changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.statuses import Channel

FALLBACK_LANGUAGE = "en"
ALWAYS_THERE = frozenset({"event_type", "title", "user_id", "user_name"})
"""What every template gets besides the event's data."""


@dataclass(frozen=True, slots=True)
class Template:
    """The words for one channel in one language; `html` is for e-mail."""

    subject: str
    text: str
    html: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateVersion:
    """One version of a template, with all its words."""

    name: str
    version: int
    default_language: str = FALLBACK_LANGUAGE
    contents: Mapping[Channel, Mapping[str, Template]]

    def words(self, channel: Channel, locale: str) -> tuple[str, Template] | None:
        """Find the words for a channel, and their language: `de-AT`, else `de`, else the default, else `en`, else any.

        None where the channel has no words at all: somebody would rather read a foreign language than nothing.
        """
        languages = self.contents.get(channel)
        if not languages:
            return None
        wanted = (*_from_near_to_far(locale), *_from_near_to_far(self.default_language), FALLBACK_LANGUAGE)
        language = next((one for one in wanted if one in languages), min(languages))
        return language, languages[language]

    def every(self) -> Iterator[tuple[Channel, str, Template]]:
        """Go through all words, in an order that stays."""
        for channel in Channel:
            for language, template in sorted(self.contents.get(channel, {}).items()):
                yield channel, language, template

    @property
    def characters(self) -> int:
        """Count the characters of all words."""
        return sum(len(one.subject) + len(one.text) + len(one.html or "") for _, _, one in self.every())


def _from_near_to_far(locale: str) -> list[str]:
    parts = locale.split("-")
    return ["-".join(parts[:count]) for count in range(len(parts), 0, -1)]


def to_json(contents: Mapping[Channel, Mapping[str, Template]]) -> dict[str, Any]:
    """Write the words as they are stored."""
    return {
        channel.value: {
            language: {"subject": one.subject, "body": one.text} | ({"html": one.html} if one.html else {})
            for language, one in languages.items()
        }
        for channel, languages in contents.items()
    }


def from_json(document: Mapping[str, Any]) -> dict[Channel, dict[str, Template]]:
    """Read stored words. Those of a channel that only a newer version knows are passed over."""
    known = {channel: document[channel] for channel in Channel if channel in document}
    return {
        channel: {
            language: Template(one.get("subject", ""), one.get("body", ""), one.get("html"))
            for language, one in languages.items()
        }
        for channel, languages in known.items()
    }
