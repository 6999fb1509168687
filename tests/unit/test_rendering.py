"""An event is put into words, and a template can do nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from shared import rendering
from shared.rendering import LONGEST_TEXT, RenderingFailed, Template, render, title_of
from shared.statuses import Channel

VARIABLES = {"title": "Order created", "message": "It is on its way", "user_name": "", "user_id": "7"}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Render a template of one's own."""

    def write(text: str, subject: str = "{{ title }}", **variables: Any) -> dict[str, str]:
        template = {Channel.EMAIL: Template(subject=subject, text=text)}
        monkeypatch.setitem(rendering.BUILT_IN, "own", template)
        return render("own", Channel.EMAIL, {**VARIABLES, **variables})

    return write


def test_a_letter_greets_the_person_by_name() -> None:
    words = render("plain", Channel.EMAIL, {**VARIABLES, "user_name": "Ada"})

    assert words == {"subject": "Order created", "text": "Hello Ada,\n\nIt is on its way\n"}


def test_a_letter_to_somebody_without_a_name_greets_without_one() -> None:
    assert render("plain", Channel.EMAIL, VARIABLES)["text"].startswith("Hello,\n")


def test_a_short_channel_says_only_the_message() -> None:
    assert render("plain", Channel.SMS, VARIABLES)["text"] == "It is on its way"


@pytest.mark.parametrize("channel", list(Channel))
def test_every_channel_has_words(channel: Channel) -> None:
    assert "It is on its way" in render("plain", channel, VARIABLES)["text"]


def test_what_an_event_says_is_never_taken_for_a_template() -> None:
    words = render("plain", Channel.SMS, {**VARIABLES, "message": "{{ 7 * 7 }}{% include 'x' %}"})

    assert words["text"] == "{{ 7 * 7 }}{% include 'x' %}"


def test_a_template_that_does_not_exist_is_named() -> None:
    with pytest.raises(RenderingFailed, match="there is no template 'invoice' for email"):
        render("invoice", Channel.EMAIL, VARIABLES)


def test_a_missing_variable_is_named_and_no_other_value_is() -> None:
    with pytest.raises(RenderingFailed, match="'message' is undefined") as caught:
        render("plain", Channel.SMS, {"title": "SECRET"})

    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "{{ message.__class__ }}",
        "{{ message.__class__.__mro__[1].__subclasses__() }}",
        "{{ message['__class__'] }}",
        "{{ message|attr('__class__') }}",
        "{{ ''.format.__globals__ }}",
        "{{ '{0.__class__}'.format(message) }}",
        "{{ self.__init__.__globals__ }}",
        "{{ items.append(1) }}",
        "{{ data.update(a=1) }}",
    ],
)
def test_a_template_reaches_no_further_than_the_event(text: str, written: Any) -> None:
    with pytest.raises(RenderingFailed):
        written(text, items=[], data={})


@pytest.mark.parametrize("name", ["range", "lipsum", "cycler", "joiner", "namespace", "dict"])
def test_a_template_has_nothing_but_the_event_to_work_with(name: str, written: Any) -> None:
    with pytest.raises(RenderingFailed, match="nothing can be called"):
        written(f"{{{{ {name}(3) }}}}")
    with pytest.raises(RenderingFailed, match=f"'{name}' is undefined"):
        written(f"{{{{ {name} }}}}")


def test_a_template_may_still_reckon(written: Any) -> None:
    assert written("{{ count * 3 }} {{ 7 % 4 }} {{ 1.5 * 2 }}", count=2)["text"] == "6 3 3.0"


def test_a_text_that_is_too_long_is_refused(written: Any) -> None:
    longest = written("{{ message }}", message="a" * LONGEST_TEXT)["text"]

    with pytest.raises(RenderingFailed, match="more than 100000 characters"):
        written("{{ message }}!", message="a" * LONGEST_TEXT)

    assert len(longest) == LONGEST_TEXT


@pytest.mark.parametrize(
    "text", ["{{ count / 0 }}", "{{ message + 1 }}", "{{ message|int + message }}", "{{ 1[0](2) }}"]
)
def test_a_template_that_does_not_fit_the_event_fails_for_good_without_repeating_it(text: str, written: Any) -> None:
    with pytest.raises(RenderingFailed) as caught:
        written(text, count=1, message="SECRET")

    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("text", ["{{ message", "{% if %}", "{% endfor %}", "{{ message|nothing }}"])
def test_a_template_that_is_none_fails_for_good(text: str, written: Any) -> None:
    with pytest.raises(RenderingFailed, match="template 'own'"):
        written(text)


@pytest.mark.parametrize(
    "line_break", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\n Bcc: eve@example.test\n"]
)
def test_a_subject_is_one_line(line_break: str, written: Any) -> None:
    subject = written("x", title=f"Order{line_break}created")["subject"]

    assert len(subject.splitlines()) == 1
    assert subject.startswith("Order ")


def test_a_subject_is_cut_to_what_a_mail_client_shows(written: Any) -> None:
    assert len(written("x", title="a" * 5_000)["subject"]) == 400


@pytest.mark.parametrize(
    ("event_type", "title"),
    [("order_created", "Order created"), ("com.example.order-SHIPPED", "Com example order shipped"), ("", "")],
)
def test_an_event_type_reads_as_a_title(event_type: str, title: str) -> None:
    assert title_of(event_type) == title
