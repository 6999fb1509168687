"""What the room of templates offers."""

from __future__ import annotations

from functions.templates.documents import (
    ListAnswer,
    PreviewAnswer,
    PreviewDocument,
    PublishDocument,
    PublishedAnswer,
    TemplateAnswer,
    TemplateDocument,
    VersionsAnswer,
    WholeDocument,
)
from shared.access import Access
from shared.operations import CURSOR, JSON, Answer, Operation, Parameter

NAME = Parameter(
    name="name",
    about="The template's name.",
    schema={"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"},
    place="path",
)
VERSION = Parameter(
    name="version",
    about="Its number, from 1.",
    schema={"type": "integer", "minimum": 1, "maximum": 999_999_999},
    place="path",
)
_KEPT = {
    200: Answer(
        about="These words are a version already; it is published now if it is no draft.", model=TemplateAnswer
    ),
    201: Answer(about="The new version.", model=TemplateAnswer),
}

POST_TEMPLATE = Operation(
    name="post_template",
    method="POST",
    path="/templates",
    access=Access.MANAGE,
    summary="Write the words for a channel and a language: a new version, published at once unless it is a draft.",
    tag="templates",
    takes={JSON: TemplateDocument},
    gives=_KEPT,
    refuses=frozenset({400, 409, 422}),
    example={
        "name": "order_shipped",
        "channel": "email",
        "language": "en",
        "subject": "Your order is on its way",
        "body": "Hello {{ user_name }},\n\nyour order {{ order_id }} is on its way.\n",
    },
)
LIST_TEMPLATES = Operation(
    name="list_templates",
    method="GET",
    path="/templates",
    access=Access.READ,
    summary="List a page of templates by name.",
    tag="templates",
    parameters=(CURSOR,),
    gives={200: Answer(about="A page.", model=ListAnswer)},
    refuses=frozenset({422}),
)
GET_TEMPLATE = Operation(
    name="get_template",
    method="GET",
    path="/templates/{name}",
    access=Access.READ,
    summary="Show the published version of a template, else its latest, with the variables that it needs.",
    tag="templates",
    parameters=(NAME,),
    gives={200: Answer(about="The template.", model=TemplateAnswer)},
    refuses=frozenset({404, 422}),
)
PUT_TEMPLATE = Operation(
    name="put_template",
    method="PUT",
    path="/templates/{name}",
    access=Access.MANAGE,
    summary="Write all words of a template at once: the new version has these and no others.",
    tag="templates",
    parameters=(NAME,),
    takes={JSON: WholeDocument},
    gives=_KEPT,
    refuses=frozenset({400, 409, 422}),
)
DELETE_TEMPLATE = Operation(
    name="delete_template",
    method="DELETE",
    path="/templates/{name}",
    access=Access.MANAGE,
    summary="Let no new notification get a template. Those that have begun with it keep their words.",
    tag="templates",
    parameters=(NAME,),
    gives={204: Answer(about="It is deleted; its versions can be published again.")},
    refuses=frozenset({404, 422}),
)
LIST_VERSIONS = Operation(
    name="list_template_versions",
    method="GET",
    path="/templates/{name}/versions",
    access=Access.READ,
    summary="List the versions of a template, the newest first; also of a deleted one.",
    tag="templates",
    parameters=(NAME, CURSOR),
    gives={200: Answer(about="A page.", model=VersionsAnswer)},
    refuses=frozenset({404, 422}),
)
GET_VERSION = Operation(
    name="get_template_version",
    method="GET",
    path="/templates/{name}/versions/{version}",
    access=Access.READ,
    summary="Show one version of a template.",
    tag="templates",
    parameters=(NAME, VERSION),
    gives={200: Answer(about="The version.", model=TemplateAnswer)},
    refuses=frozenset({404, 422}),
)
PUBLISH_TEMPLATE = Operation(
    name="publish_template",
    method="POST",
    path="/templates/{name}/publish",
    access=Access.MANAGE,
    summary="Let new notifications get a version: the latest, or the one that is named. An older one is a rollback.",
    tag="templates",
    parameters=(NAME,),
    takes={JSON: PublishDocument},
    may_be_empty=True,
    gives={200: Answer(about="It is published.", model=PublishedAnswer)},
    refuses=frozenset({400, 404, 422}),
)
PREVIEW_TEMPLATE = Operation(
    name="preview_template",
    method="POST",
    path="/templates/{name}/preview",
    access=Access.READ,
    summary="Write a template as each channel would get it, with what is missing and how long it is. Sends nothing.",
    tag="templates",
    parameters=(NAME,),
    takes={JSON: PreviewDocument},
    may_be_empty=True,
    gives={200: Answer(about="What would be sent.", model=PreviewAnswer)},
    refuses=frozenset({400, 404, 422}),
    example={"variables": {"order_id": "A-42"}, "locale": "de-AT"},
)
OPERATIONS = (
    *(POST_TEMPLATE, LIST_TEMPLATES, GET_TEMPLATE, PUT_TEMPLATE, DELETE_TEMPLATE),
    *(LIST_VERSIONS, GET_VERSION, PUBLISH_TEMPLATE, PREVIEW_TEMPLATE),
)
