"""Every channel has made the six moves of docs/adding-a-channel.md, or this says which one is missing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from infrastructure.local import manifests
from infrastructure.local.manifests import DEFAULT_FOLDER
from infrastructure.local.providers import NEEDS, Need
from infrastructure.rabbitmq.generate import ROOT
from infrastructure.sandbox.sandbox import Sandbox
from shared.broker.topology import commands
from shared.options import Options
from shared.serve import load
from shared.settings import Settings
from shared.statuses import Channel
from shared.step import Step
from shared.store.claim_sql import ADDRESS

UNDER_CONSTRUCTION: frozenset[Channel] = frozenset()
"""Channels that are not asked yet. Whoever completes one takes it out."""

OUR_OWN = frozenset({Channel.WEBSOCKET})
"""No provider is outside, so there is nothing to set, to stand in for, or to understand."""

WITHOUT_OPTIONS = frozenset({Channel.SMS, Channel.WEBSOCKET})
"""There is nothing to be said beyond the words."""

FUNCTIONS = {channel: f"deliver-{channel}" for channel in Channel} | {Channel.WEBSOCKET: "push-ws"}
ANSWERS = {
    Channel.EMAIL: "tests/unit/test_smtp_answers.py",
    Channel.WHATSAPP: "tests/contract/test_twilio_answers.py",
    Channel.SMS: "tests/contract/test_twilio_answers.py",
    Channel.PUSH: "tests/contract/test_push_answers.py",
    Channel.TELEGRAM: "tests/contract/test_telegram_answers.py",
}


@dataclass(frozen=True, kw_only=True)
class Tree:
    """What is there."""

    steps: frozenset[str]
    addresses: frozenset[str]
    options: frozenset[str]
    served: frozenset[Channel]
    needed: frozenset[Channel]
    stood_in: frozenset[Channel]
    services: frozenset[str]
    fed: Mapping[str, str]
    listed: frozenset[str]
    tests: frozenset[str]
    told: frozenset[str]


@pytest.fixture(scope="module")
def tree() -> Tree:
    doors = {path.parent.name.replace("_", "-") for path in (ROOT / "functions").glob("*/main.py")}
    known = manifests.read()
    readme = (ROOT / "README.md").read_text()
    return Tree(
        steps=frozenset(name for name in doors if isinstance(load(name).FUNCTION, Step)),
        addresses=frozenset(ADDRESS),
        options=frozenset(Options.model_fields),
        served=Settings.model_construct().served(),
        needed=frozenset(channel for need in NEEDS for channel in need.channels),
        stood_in=frozenset(channel for need in NEEDS if stands_in(need) for channel in need.channels),
        services=frozenset(known.services),
        fed={source.queue: source.service for source in known.queue_sources},
        listed=frozenset(yaml.safe_load((DEFAULT_FOLDER / "kustomization.yaml").read_text())["resources"]),
        tests=frozenset(str(path.relative_to(ROOT)) for path in (ROOT / "tests").glob("*/test_*.py")),
        told=frozenset(re.findall(r"`([a-z-]+)`", readme.partition("## Channels")[2].partition("\n## ")[0])),
    )


def stands_in(need: Need) -> bool:
    """Tell whether the sandbox's settings are enough, and lead to stand-ins that are there."""
    sandbox = Sandbox()
    found: dict[str, Any] = dict(need.stand_in(sandbox))
    paths = [urlsplit(str(value)).path for value in found.values() if str(value).startswith(sandbox.http.url)]
    leads_somewhere = all(path.split("/")[1] in sandbox.http.rooms for path in paths)
    return leads_somewhere and need.is_met(Settings.model_construct(**found))


Missing = Iterator[tuple[bool, str]]


def the_function(channel: Channel, tree: Tree) -> Missing:
    folder = FUNCTIONS[channel].replace("-", "_")
    yield FUNCTIONS[channel] not in tree.steps, f"functions/{folder}/main.py"


def the_address_and_the_options(channel: Channel, tree: Tree) -> Missing:
    yield channel not in tree.addresses, "ADDRESS in shared/store/claim_sql.py"
    yield channel not in tree.options | WITHOUT_OPTIONS, "Options in shared/options.py"


def the_settings(channel: Channel, tree: Tree) -> Missing:
    yield channel not in tree.served, "the default of CHANNELS in shared/settings.py"
    yield channel not in tree.needed | OUR_OWN, "NEEDS in infrastructure/local/providers.py"


def the_stand_in(channel: Channel, tree: Tree) -> Missing:
    yield channel not in tree.stood_in | OUR_OWN, "STAND_INS in infrastructure/sandbox/sandbox.py"


def the_manifests(channel: Channel, tree: Tree) -> Missing:
    service, source = f"services/{FUNCTIONS[channel]}.yaml", f"sources/saga-commands-{channel}.yaml"
    yield FUNCTIONS[channel] not in tree.services, f"knative/base/{service}"
    yield tree.fed.get(commands(channel)) != FUNCTIONS[channel], f"knative/base/{source}"
    yield not {service, source} <= tree.listed, "both in knative/base/kustomization.yaml"


def the_tests_and_the_words(channel: Channel, tree: Tree) -> Missing:
    test = ANSWERS.get(channel, "a table-driven test of its answers, and ANSWERS here")
    yield test not in tree.tests and channel not in OUR_OWN, test
    yield FUNCTIONS[channel] not in tree.told, "a row under Channels in README.md"


MOVES: dict[str, Callable[[Channel, Tree], Missing]] = {
    "1. The function": the_function,
    "2. The address and the options": the_address_and_the_options,
    "3. The settings": the_settings,
    "4. The stand-in": the_stand_in,
    "5. The manifests": the_manifests,
    "6. The tests and the words": the_tests_and_the_words,
}


def missing(channel: Channel, tree: Tree) -> list[str]:
    """List what a channel lacks, move by move."""
    return [f"{title}: {what}" for title, move in MOVES.items() for lacks, what in move(channel, tree) if lacks]


@pytest.mark.parametrize("channel", sorted(set(Channel) - UNDER_CONSTRUCTION))
def test_a_channel_lacks_no_move(channel: Channel, tree: Tree) -> None:
    assert missing(channel, tree) == []


def test_a_channel_that_is_complete_is_not_under_construction(tree: Tree) -> None:
    assert [channel for channel in sorted(UNDER_CONSTRUCTION) if not missing(channel, tree)] == []


def test_the_page_has_the_same_six_moves() -> None:
    page = (ROOT / "docs" / "adding-a-channel.md").read_text()

    assert re.findall(r"^## (\d\. .*)$", page, re.MULTILINE) == list(MOVES)


@pytest.mark.parametrize(
    ("lost", "moves"),
    [
        ({"steps": frozenset()}, "1"),
        ({"addresses": frozenset()}, "2"),
        ({"options": frozenset()}, "2"),
        ({"served": frozenset()}, "3"),
        ({"needed": frozenset()}, "3"),
        ({"stood_in": frozenset()}, "4"),
        ({"services": frozenset()}, "5"),
        ({"fed": {}}, "5"),
        ({"fed": {commands(Channel.TELEGRAM): "deliver-email"}}, "5"),
        ({"listed": frozenset({"services/deliver-telegram.yaml"})}, "5"),
        ({"tests": frozenset()}, "6"),
        ({"told": frozenset()}, "6"),
    ],
)
def test_a_move_that_is_missing_is_named(lost: Mapping[str, Any], moves: str, tree: Tree) -> None:
    found = missing(Channel.TELEGRAM, replace(tree, **lost))

    assert [line[0] for line in found] == [moves]


def test_a_stand_in_that_leads_nowhere_is_none() -> None:
    (need,) = [need for need in NEEDS if Channel.TELEGRAM in need.channels]

    nowhere = replace(need, stand_in=lambda sandbox: {"telegram_base_url": f"{sandbox.http.url}/pigeon"})
    tokenless = replace(need, stand_in=lambda sandbox: {"telegram_base_url": f"{sandbox.http.url}/telegram"})

    assert [stands_in(need), stands_in(nowhere), stands_in(tokenless)] == [True, False, False]
