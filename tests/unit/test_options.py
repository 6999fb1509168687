"""What an event may say about its channels, checked where it enters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.ingest.requests import Submission, plain_event, read
from shared.errors import Refused
from shared.options import MAX_ATTACHED_BYTES, MAX_ATTACHMENTS, Options, options_for
from shared.problems import FieldsRefused, problem
from shared.statuses import Channel

FILE = {"filename": "invoice.pdf", "content_type": "application/pdf", "content": "JVBERg=="}
STRUCTURED = {"content-type": "application/cloudevents+json"}


def plain(options: Any) -> dict[str, Any]:
    return {"event_type": "order_created", "user_id": 1, "data": {"message": "Hi", "options": options}}


def in_cloud(options: Any) -> bytes:
    event = {"specversion": "1.0", "id": "e1", "source": "/shop", "type": "order_created", "subject": "1"}
    return json.dumps({**event, "data": {"message": "Hi", "options": options}}).encode()


WRONG = [
    ({"email": {"reply_to": "nobody"}}, "data.options.email.reply_to"),
    ({"email": {"reply_to": "a@example.test\r\nBcc: eve@example.test"}}, "data.options.email.reply_to"),
    ({"email": {"reply_to": "hälp@example.test"}}, "data.options.email.reply_to"),
    ({"email": {"html": 1}}, "data.options.email.html"),
    ({"email": {"bcc": "eve@example.test"}}, "data.options.email.bcc"),
    ({"email": {"attachments": [FILE, {**FILE, "filename": "a/b"}]}}, "data.options.email.attachments[1].filename"),
    ({"email": {"attachments": [{**FILE, "content": "!"}]}}, "data.options.email.attachments[0].content"),
    (
        {"email": {"attachments": [{**FILE, "content_type": "message/rfc822"}]}},
        "data.options.email.attachments[0].content_type",
    ),
    ({"email": {"attachments": [FILE] * (MAX_ATTACHMENTS + 1)}}, "data.options.email.attachments"),
    ({"push": {"image_url": "http://example.test/a.png"}}, "data.options.push.image_url"),
    ({"telegram": "loud"}, "data.options.telegram"),
    ({"sms": {}}, "data.options.sms"),
]


@pytest.mark.parametrize(("options", "field"), WRONG)
def test_a_wrong_option_is_refused_by_its_name_and_never_quoted(options: dict[str, Any], field: str) -> None:
    with pytest.raises(FieldsRefused) as in_plain:
        plain_event(plain(options), {})
    with pytest.raises(FieldsRefused) as in_a_cloudevent:
        read(STRUCTURED, in_cloud(options))

    for caught in (in_plain, in_a_cloudevent):
        document = problem(caught.value)
        assert (document["status"], caught.value.field) == (422, field)
        assert "eve@" not in json.dumps(document)


def test_in_a_batch_a_wrong_option_refuses_its_own_event_alone() -> None:
    body = b"[%b,%b]" % (in_cloud({"email": {"reply_to": "nobody"}}), in_cloud({"email": {}}))

    refused, accepted = read({"content-type": "application/cloudevents-batch+json"}, body)

    assert isinstance(refused, Refused)
    assert isinstance(accepted, Submission)


@pytest.mark.parametrize("options", [None, {}, "gift wrap", ["a"], {"size": "XL"}, {"email": {}, "size": "XL"}])
def test_data_of_that_name_which_is_no_channels_is_a_variable_like_any_other(options: Any) -> None:
    assert plain_event(plain(options), {}).data["options"] == options


def test_files_larger_than_a_mail_may_be_are_refused_together() -> None:
    half = {**FILE, "content": "AAAA" * (MAX_ATTACHED_BYTES // 6 + 1)}
    data = {"options": {"email": {"attachments": [half, half]}}}

    with pytest.raises(ValueError, match="Together they may have 5000000 bytes"):
        Options.of_event(data)


def test_what_an_event_says_goes_before_its_workflow_field_by_field() -> None:
    workflow = {"email": {"reply_to": "shop@example.test", "html": "<p>Hi</p>"}}

    said = options_for(Channel.EMAIL, workflow, {"options": {"email": {"reply_to": "ada@bücher.example"}}})

    assert said == {"reply_to": "ada@xn--bcher-kva.example", "html": "<p>Hi</p>"}


def test_only_what_was_said_is_kept() -> None:
    said = {"email": {"reply_to": "a@example.test"}}

    assert Options.model_validate(said).by_channel() == said
    assert options_for(Channel.EMAIL, {}, {}) == {}
