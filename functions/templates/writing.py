"""Make the next version of a template out of what was posted."""

from __future__ import annotations

from functions.templates.documents import MOST_WORDS, TemplateDocument, WholeDocument
from shared.errors import Refused
from shared.store.templates import Contents, Draft, Revise
from shared.templates import TemplateVersion

MOST_CHARACTERS = 500_000
"""Of all words of one version together."""


def with_words(document: TemplateDocument) -> Revise:
    """Put words beside those that are there. The first ones say which language is the default."""

    def revise(base: TemplateVersion | None) -> Draft:
        contents: Contents = {channel: dict(words) for channel, words in base.contents.items()} if base else {}
        contents.setdefault(document.channel, {})[document.language] = document.template()
        return _bearable(Draft(default_language=None if base else document.language, contents=contents))

    return revise


def replacing_all(document: WholeDocument) -> Revise:
    """Put words in the place of all that are there."""

    def revise(_base: TemplateVersion | None) -> Draft:
        contents: Contents = {}
        for one in document.contents:
            contents.setdefault(one.channel, {})[one.language] = one.template()
        return _bearable(Draft(default_language=document.default_language, contents=contents))

    return revise


def _bearable(draft: Draft) -> Draft:
    """Refuse what is too large to be kept at hand while messages are written.

    Raises:
        Refused: 409.
    """
    made = TemplateVersion(name="", version=0, contents=draft.contents)
    if made.characters > MOST_CHARACTERS or sum(map(len, draft.contents.values())) > MOST_WORDS:
        raise Refused(
            409,
            "Template too large",
            f"All its words together have {MOST_CHARACTERS} characters and {MOST_WORDS} entries at most.",
        )
    return draft
