"""Write a template for every channel without sending it, and say what is missing and how long it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.templates.documents import PreviewDocument, SegmentsAnswer, SizeAnswer, WrittenAnswer
from shared.rendering import LONGEST_TEXT, RenderingFailed, needs, write_words
from shared.sms import segments
from shared.statuses import Channel
from shared.templates import Template, TemplateVersion
from shared.templating import missing

EXAMPLES = {"event_type": "example", "title": "Example", "user_id": "1", "user_name": "Ada"}
"""What an event and its user would bring."""

LIMITS: dict[Channel, int] = {
    Channel.SMS: 1_600,  # Twilio's 21617
    Channel.WHATSAPP: 1_600,
    Channel.TELEGRAM: LONGEST_TEXT,  # in parts of 4,096
    Channel.PUSH: 4_096,  # bytes, with everything else that travels along
}


def preview(version: TemplateVersion, asked: PreviewDocument) -> list[WrittenAnswer]:
    """Write what readers of each channel would get."""
    variables = {**EXAMPLES, **asked.variables}
    channels = [channel for channel in version.contents if asked.channel in (None, channel)]
    found = [(channel, version.words(channel, asked.locale)) for channel in channels]
    return [_written(channel, *words, variables) for channel, words in found if words]


def _written(channel: Channel, language: str, template: Template, variables: Mapping[str, Any]) -> WrittenAnswer:
    absent = tuple(missing(needs(channel, template).required, variables))
    try:
        words = write_words(channel, template, variables)
    except RenderingFailed as broken:
        return WrittenAnswer(channel=channel, language=language, missing=absent, problem=str(broken))
    text = words["text"]
    return WrittenAnswer(
        channel=channel,
        language=language,
        subject=words["subject"],
        body=text,
        html=words.get("html"),
        size=_size(channel, words),
        segments=_segments(text) if channel is Channel.SMS else None,
    )


def _size(channel: Channel, words: Mapping[str, str]) -> SizeAnswer:
    characters, size_bytes = len(words["text"]), len(words["text"].encode(errors="replace"))
    limit = LIMITS.get(channel)
    counted = size_bytes + len(words["subject"].encode(errors="replace")) if channel is Channel.PUSH else characters
    return SizeAnswer(characters=characters, bytes=size_bytes, limit=limit, fits=limit is None or counted <= limit)


def _segments(text: str) -> SegmentsAnswer:
    found = segments(text)
    return SegmentsAnswer(encoding=found.encoding, units=found.units, count=found.count, not_gsm=found.not_gsm)
