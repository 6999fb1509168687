"""What clients say about templates, and what they are told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from shared.statuses import Channel
from shared.templates import Template
from shared.templating import TemplateMalformed, check
from shared.whole_numbers import WHOLE

MOST_WORDS = 300
"""Channels times languages of one template."""


def _as_usual(language: object) -> object:
    """Write a language as BCP 47 advises: `de-AT`, `zh-Hant-TW`."""
    if not isinstance(language, str) or not language.isascii():
        return language
    first, *others = language.replace("_", "-").split("-")
    return "-".join([first.lower(), *[{2: str.upper, 4: str.title}.get(len(one), str)(one) for one in others]])


def _template(source: str) -> str:
    try:
        check(source)
    except TemplateMalformed as broken:
        raise PydanticCustomError("template", "{why}", {"why": _sentence(str(broken))}) from None
    return source


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".")


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Name = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Language = Annotated[
    str,
    BeforeValidator(_as_usual),
    StringConstraints(strict=True, pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$"),
    WithJsonSchema({"type": "string", "pattern": r"^[A-Za-z]{2,3}([-_][A-Za-z]{4})?([-_]([A-Za-z]{2}|[0-9]{3}))?$"}),
]
Version = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1), WHOLE]
_STORABLE = Field(json_schema_extra={"pattern": r"^[^\x00]*$"})
"""What JSON can say and Postgres cannot keep: it is refused before any model sees it."""

Subject = Annotated[str, StringConstraints(strict=True, max_length=1000), AfterValidator(_template), _STORABLE]
Body = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=50_000), AfterValidator(_template), _STORABLE
]
Html = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=100_000), AfterValidator(_template), _STORABLE
]


class WordsDocument(_Document):
    """The words for one channel in one language. Without a subject it is made of the event's type."""

    channel: Channel
    language: Language = "en"
    subject: Subject = "{{ title }}"
    body: Body
    html: Html | None = Field(default=None, description="For e-mail: its HTML part, beside the body as text.")

    @model_validator(mode="after")
    def _is_a_mail(self) -> Self:
        if self.html is not None and self.channel is not Channel.EMAIL:
            raise PydanticCustomError("html", "only e-mail has HTML")
        return self

    def template(self) -> Template:
        """Read the words."""
        return Template(self.subject, self.body, self.html)


class TemplateDocument(WordsDocument):
    """Words as posted: the next version of a template has them, and the others that it had before."""

    name: Name
    draft: StrictBool = Field(default=False, description="Keep the version to itself until it is published.")


class WholeDocument(_Document):
    """All words of a template at once: the next version has these and no others."""

    default_language: Language = "en"
    contents: Annotated[tuple[WordsDocument, ...], Field(min_length=1, max_length=MOST_WORDS)]
    draft: StrictBool = False

    @model_validator(mode="after")
    def _says_each_once(self) -> Self:
        if len({(one.channel, one.language) for one in self.contents}) < len(self.contents):
            raise PydanticCustomError("twice", "a channel has the same language twice")
        return self


class PublishDocument(_Document):
    """Which version to publish; the latest if none is named. An older one is a rollback."""

    version: Version | None = None


class PreviewDocument(_Document):
    """With what to write: the event's data. `user_name` and the like may be given too, else there are examples."""

    variables: dict[str, Any] = Field(default_factory=dict)
    channel: Channel | None = Field(default=None, description="This channel alone.")
    locale: Language = Field(default="en", description="The language that the reader wants.")
    version: Version | None = Field(default=None, description="Else the published one, else the latest.")


class VariablesAnswer(_Document):
    """Paths of variables. `conditional` ones are needed in a branch or a loop that the data decides on."""

    required: tuple[str, ...]
    conditional: tuple[str, ...]
    optional: tuple[str, ...]


class WordsAnswer(_Document):
    """Words as they are kept."""

    channel: Channel
    language: str
    subject: str
    body: str
    html: str | None
    variables: VariablesAnswer


class TemplateAnswer(_Document):
    """One version of a template. `published` is the one that new notifications get."""

    name: str
    version: int
    published: int | None
    default_language: str
    contents: tuple[WordsAnswer, ...]
    variables: VariablesAnswer


class ListedAnswer(_Document):
    """A template in a list; `languages` by channel."""

    name: str
    published: int | None
    latest: int
    languages: dict[str, list[str]]
    updated_at: datetime


class ListAnswer(_Document):
    """A page of templates by name."""

    templates: tuple[ListedAnswer, ...]
    next_cursor: str | None


class MadeAnswer(_Document):
    """A version in a list."""

    version: int
    is_published: bool
    made_by: str
    created_at: datetime


class VersionsAnswer(_Document):
    """A page of versions, the newest first."""

    versions: tuple[MadeAnswer, ...]
    next_cursor: str | None


class PublishedAnswer(_Document):
    """What is published now."""

    name: str
    published: int


class SegmentsAnswer(_Document):
    """How an SMS travels: `not_gsm` are characters that make it UCS-2, which has less than half the room."""

    encoding: str
    units: int
    count: int
    not_gsm: tuple[str, ...]


class SizeAnswer(_Document):
    """What is written, against what the channel takes; `limit` is None where there is none."""

    characters: int
    bytes: int
    limit: int | None
    fits: bool


class WrittenAnswer(_Document):
    """What a reader of one channel would get; or why it cannot be written. `missing` names what stops it."""

    channel: Channel
    language: str
    subject: str | None = None
    body: str | None = None
    html: str | None = None
    missing: tuple[str, ...] = ()
    problem: str | None = None
    size: SizeAnswer | None = None
    segments: SegmentsAnswer | None = None


class PreviewAnswer(_Document):
    """What every channel would get."""

    name: str
    version: int
    missing: tuple[str, ...]
    previews: tuple[WrittenAnswer, ...]
