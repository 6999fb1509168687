"""Let schemathesis ask an instance everything that the specification allows, and much that it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from tests.specification.instance import KEY, Instance

SOON_MADE = {"maxItems": 20, "maxProperties": 20, "maxLength": 500}
"""Bounds beyond these are left out: what lies beyond them takes minutes to make. Other tests hold them."""

ANSWER_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is tried: so many cases of each operation, after a seed; a long one shows the smallest that fails."""

    cases: int
    seed: int
    is_long: bool = False
    in_sequences: bool = False


ACCEPTED = ("2xx", "3xx", "401", "403", "404", "409", "429")
BEYOND_THE_SCHEMA: Mapping[str, tuple[tuple[str, ...], str]] = {
    "post_events": (("400", "422"), "integers of 64 bits anywhere in data, expires_at in the future, known keys"),
    "send_notification": (("400", "422"), "as post_events; a template must be there, and fit; keys are used once"),
    "post_notification": (
        ("400", "422"),
        "as post_events; what an address is depends on the type; times in the future; keys are used once",
    ),
    "list_notifications": (("422",), "a cursor is one that was given"),
    "list_inbox": (("422",), "a cursor is one that was given"),
    "read_inbox": (("422",), "either ids or all: the generator makes both, whatever oneOf says"),
    "put_user": (("422",), "an address is checked by rules that no pattern holds"),
    "create_user": (("422",), "an address is checked by rules that no pattern holds"),
    "patch_user": (("422",), "an address is checked by rules that no pattern holds"),
    "put_users": (("400",), "integers of 64 bits anywhere in a user"),
    "list_users": (("422",), "one filter at a time; an address is checked by rules that no pattern holds"),
    "put_preferences": (("422",), "time zones are those of the IANA; quiet hours begin and end at different times"),
    "put_preference_defaults": (("422",), "as put_preferences"),
    "put_workflow": (("422",), "escalate_after_seconds belongs to one strategy; a template must be there"),
    "list_workflows": (("422",), "a cursor is one that was given"),
    "import_workflows": (("400", "422"), "as put_workflow; and YAML has more than is read of it"),
    "make_key": (("422",), "expires_at in the future"),
    "list_keys": (("422",), "a cursor is one that was given"),
    "post_template": (("422",), "the grammar of templates, and HTML for e-mail alone"),
    "put_template": (("422",), "the grammar of templates, HTML for e-mail alone, and each language once"),
    "preview_template": (("400",), "integers of 64 bits and storable text anywhere in the variables"),
    "list_templates": (("422",), "a cursor is one that was given"),
    "list_template_versions": (("422",), "a cursor is one that was given"),
    "list_dead_letters": (("422",), "a cursor is one that was given"),
    "replay_dead_letters": (("422",), "either ids or a filter; times are those of RFC 3339"),
    "list_suppressions": (("422",), "a cursor is one that was given"),
    "put_suppression": (("422",), "what an address is depends on the channel"),
    "lift_suppression": (("422",), "what an address is depends on the channel"),
    "hear_onesignal": (("400",), "a body without a model: any JSON"),
    "hear_mail": (("400", "422"), "a body without a model"),
    "hear_twilio": (("403",), "nobody can sign"),
    "unsubscribe": (("400",), "the form must say that it is the one-click form"),
}
"""Operations with rules that JSON Schema cannot tell: what they may answer to a body that fits, and why."""


ANOTHER_ADDRESS: Mapping[str, str] = {
    "put_users": "PUT /users/bulk is about the user whose id is bulk",
    "import_workflows": "PUT /workflows/import is about the event type import",
    "dry_run_dead_letters": "GET /dead-letters/dry-run is about the dead letter whose id is dry-run",
    "replay_dead_letters": "GET /dead-letters/replay is about the dead letter whose id is replay",
    "discard_dead_letters": "GET /dead-letters/discard is about the dead letter whose id is discard",
}
"""Operations whose address, with another method, is one with a part: so that method is no undeclared one."""


def prepared(document: Mapping[str, Any], known: Mapping[str, list[str]]) -> dict[str, Any]:
    """Copy a specification, with ids that exist among those that are tried, and without what takes long to make."""
    made: dict[str, Any] = _soon_made(document)
    for path, item in made["paths"].items():
        ids = next((found for beginning, found in known.items() if path.startswith(f"{beginning}/{{")), [])
        for parameter in _ids(item):
            if ids:
                parameter["schema"] = {"anyOf": [{"enum": ids}, parameter["schema"]]}
                parameter["examples"] = {one: {"value": one} for one in ids}
    return made


def _soon_made(part: Any) -> Any:
    if isinstance(part, Mapping):
        return {key: _soon_made(value) for key, value in part.items() if not _is_beyond(key, value)}
    return [_soon_made(one) for one in part] if isinstance(part, list) else part


def _is_beyond(key: str, value: Any) -> bool:
    return key in SOON_MADE and isinstance(value, int) and value > SOON_MADE[key]


def _ids(item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for described in item.values():
        yield from (
            one for one in described.get("parameters", ()) if one["in"] == "path" and one["name"] in ("id", "name")
        )


def paths_of(document: Mapping[str, Any]) -> list[str]:
    """List the addresses but for the socket's and the stream's: one is not HTTP alone, the other has no end."""
    return [path for path, item in document["paths"].items() if not any(_is_endless(one) for one in item.values())]


def _is_endless(described: Mapping[str, Any]) -> bool:
    answers = described["responses"]
    return "101" in answers or "text/event-stream" in answers.get("200", {}).get("content", {})


def at(document: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Keep of a specification what is at one address: with all of its methods, so that others are known as others."""
    return {**document, "paths": {path: document["paths"][path]}}


def complaints(document: Mapping[str, Any], instance: Instance, effort: Effort) -> list[str]:
    """Try what a specification describes; list what was wrong, each with the line that shows it."""
    schema = schemathesis.openapi.from_dict(dict(document), config=_config(document, instance, effort))
    found: dict[tuple[str, str, str], str] = {}
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            for key, complaint in _failures(event):
                found.setdefault(key, complaint)
        elif isinstance(event, events.NonFatalError):
            found[event.label, "error", ""] = f"{event.label}: {event.value!r}"
        elif isinstance(event, events.FatalError):
            found["", "error", ""] = repr(event.exception)
    return list(found.values())


def _failures(event: events.ScenarioFinished) -> Iterator[tuple[tuple[str, str, str], str]]:
    for case, checks in event.recorder.checks.items():
        interaction = event.recorder.interactions.get(case)
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                answer = interaction.response if interaction else None
                if check.name == "negative_data_rejection" and answer and _refuses_one_by_one(answer.content):
                    continue
                said = f"{answer.status_code} {answer.content[:500]!r}" if answer else "no answer"
                key = (str(event.label), check.name, failure.title)
                shown = check.failure_info.code_sample
                yield key, f"{event.label}: {failure.title} ({check.name})\n{failure.message}\n{shown}\n{said}"


def _refuses_one_by_one(body: bytes) -> bool:
    """Tell whether it is the answer to many, of which each is answered for itself, and one was refused."""
    document = json.loads(body) if body.startswith(b'{"results"') else {}
    return any("problem" in result for result in document.get("results", ()))


def _checks_of(name: str) -> dict[str, Any]:
    beyond = BEYOND_THE_SCHEMA.get(name, ((), ""))[0]
    return {
        "positive_data_acceptance": {"expected-statuses": [*ACCEPTED, *beyond]},
        "unsupported_method": {"enabled": name not in ANOTHER_ADDRESS},
    }


def _config(document: Mapping[str, Any], instance: Instance, effort: Effort) -> SchemathesisConfig:
    names = [described["operationId"] for item in document["paths"].values() for described in item.values()]
    alone = ("examples", "coverage", "fuzzing")
    return SchemathesisConfig.from_dict(
        {
            "seed": effort.seed,
            "base-url": instance.url,
            "request-timeout": ANSWER_SECONDS,
            "suppress-health-check": ["all"],  # they judge the speed of the machine
            "headers": {"X-API-Key": KEY},
            "generation": {
                "max-examples": effort.cases,
                "with-security-parameters": False,  # else it makes keys up, and the gate stops most of what it tries
                "no-shrink": not effort.is_long,
                "database": "none",
                "deterministic": not effort.is_long,
            },
            "phases": {
                "stateful": {"enabled": effort.in_sequences},
                **{name: {"enabled": not effort.in_sequences} for name in alone},
            },
            "operations": [{"include-operation-id": name, "checks": _checks_of(name)} for name in names],
        }
    )
