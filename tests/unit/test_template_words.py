"""Which words of a template a reader gets."""

from __future__ import annotations

import pytest

from shared.saga import Plan
from shared.statuses import Channel
from shared.store import plans
from shared.store.template_versions import Key, KnownVersions
from shared.templates import Template, TemplateVersion, from_json, to_json


def version(*languages: str, default: str = "en", number: int = 1, text: str = "x") -> TemplateVersion:
    words = {language: Template("", text) for language in languages}
    return TemplateVersion(name="t", version=number, default_language=default, contents={Channel.SMS: words})


@pytest.mark.parametrize(
    ("locale", "default", "languages", "chosen"),
    [
        ("de-AT", "en", ["de-AT", "de", "en"], "de-AT"),
        ("de-AT", "en", ["de", "en"], "de"),
        ("zh-Hant-TW", "en", ["zh-Hant", "zh"], "zh-Hant"),
        ("de", "en", ["de-AT", "en"], "en"),
        ("fr", "sv", ["en", "sv"], "sv"),
        ("fr", "sv-FI", ["en", "sv"], "sv"),
        ("fr", "sv", ["de", "en"], "en"),
        ("fr", "sv", ["nl", "de"], "de"),
    ],
)
def test_the_nearest_language_is_chosen(locale: str, default: str, languages: list[str], chosen: str) -> None:
    found = version(*languages, default=default).words(Channel.SMS, locale)

    assert found is not None
    assert found[0] == chosen


def test_a_channel_without_words_has_none() -> None:
    assert version("en").words(Channel.EMAIL, "en") is None


def test_words_are_stored_and_read_again() -> None:
    contents = {Channel.EMAIL: {"de": Template("s", "t", "<p>")}, Channel.SMS: {"en": Template("", "t")}}

    assert from_json(to_json(contents)) == contents
    assert from_json({**to_json(contents), "pigeon": {"en": {"body": "x"}}}) == contents


def test_a_plan_keeps_the_version_that_it_was_made_with() -> None:
    plan = Plan(template="welcome", template_version=3)

    assert plans.from_json(plans.to_json(plan)) == plan
    assert "template_version" not in plans.to_json(Plan())


def test_known_versions_are_few_and_the_one_unused_for_longest_goes_first() -> None:
    known = KnownVersions(characters=30)
    keys: list[Key] = [("a", "t", number) for number in range(4)]
    known.put({key: version("en", number=key[2], text="x" * 10) for key in keys[:3]})
    known.get([keys[0]])

    known.put({keys[3]: version("en", number=3, text="x" * 10)})
    known.put({keys[3]: version("en", number=3, text="x" * 10)})

    assert set(known.get(keys)) == {keys[0], keys[2], keys[3]}


def test_a_version_that_is_too_large_to_be_kept_is_not() -> None:
    known = KnownVersions(characters=5)

    known.put({("a", "t", 1): version("en", text="x" * 10)})

    assert known.get([("a", "t", 1)]) == {}
