"""Which providers must be configured, and where the sandbox may stand in."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from infrastructure.local import manifests, providers
from infrastructure.sandbox.sandbox import Sandbox
from shared.broker.topology import commands
from shared.errors import SettingMissing
from shared.settings import Settings
from shared.statuses import Channel


def settings(**said: Any) -> Settings:
    return Settings.model_validate(said)


def test_with_nothing_configured_the_sandbox_stands_in_for_every_provider() -> None:
    nothing = settings()

    providers.require(nothing)

    assert providers.unmet(nothing) == list(providers.NEEDS)
    completed = nothing.model_copy(update=providers.sandboxed(nothing, Sandbox()))
    assert providers.unmet(completed) == []


@pytest.mark.parametrize("need", providers.NEEDS, ids=lambda need: str(need.setting))
def test_beside_a_database_of_ones_own_a_missing_provider_is_named(need: providers.Need) -> None:
    alone = settings(database_url="postgresql://x", channels=",".join(sorted(need.channels)))

    with pytest.raises(SettingMissing, match=f"{need.setting} is missing.*CHANNELS.*SANDBOX"):
        providers.require(alone)


def test_a_channel_that_is_left_out_needs_no_provider() -> None:
    providers.require(settings(database_url="postgresql://x", channels="websocket"))


def test_the_sandbox_may_be_asked_for() -> None:
    providers.require(settings(database_url="postgresql://x", sandbox=True))


def test_what_is_configured_is_left_alone() -> None:
    configured = settings(smtp_url="smtp://mail.example.test")

    assert "smtp_url" not in providers.sandboxed(configured, Sandbox())


def test_settings_reach_other_processes_with_their_secrets() -> None:
    assert providers.as_environment({"smtp_url": SecretStr("smtp://a"), "port": 1}) == {
        "SMTP_URL": "smtp://a",
        "PORT": "1",
    }


def test_a_channel_that_nothing_is_sent_on_has_neither_source_nor_function() -> None:
    known = manifests.read(manifests.DEFAULT_FOLDER)

    serving = known.serving({Channel.WEBSOCKET})

    assert {source.queue for source in serving.queue_sources if source.queue.startswith("saga.commands.")} == {
        commands(Channel.WEBSOCKET)
    }
    assert "deliver-email" in known.services
    assert "deliver-email" not in serving.services
    assert {"ingest", "orchestrate", "push-ws", "sweep"} <= serving.services.keys()


@pytest.mark.parametrize("names", ["email,pigeon", "", "email,,sms"])
def test_a_channel_that_nobody_knows_is_refused_at_the_start(names: str) -> None:
    with pytest.raises(ValueError, match="there is no channel"):
        settings(channels=names)
