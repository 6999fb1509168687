"""Where each setting is said on a cluster: the one table, which the page of settings and the manifests are held to."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from shared.settings import Settings


class Place(StrEnum):
    """A place where a setting is said."""

    SECRET = "secret"  # noqa: S105 - the name of a place
    SETTINGS = "settings"
    MANIFEST = "manifest"  # in each function's own manifest
    NOWHERE = "nowhere"  # it is left as it is


SECRETS = frozenset(
    {
        "api_keys",
        "amqp_url",
        "database_url",
        "fcm_service_account",
        "jwt_secret",
        "onesignal_api_key",
        "onesignal_app_id",
        "otel_exporter_otlp_headers",
        "redis_url",
        "smtp_url",
        "telegram_bot_token",
        "twilio_account_sid",
        "twilio_auth_token",
    }
)
"""What opens something, and the names of accounts that go with it."""

ELSEWHERE: Mapping[str, tuple[Place, str]] = {
    "host": (Place.MANIFEST, "a container listens on every address of its own"),
    "port": (Place.NOWHERE, "Knative gives it; the image says 8080"),
    "k_sink": (Place.NOWHERE, "`knative/overlays/broker` writes it into each function in place of AMQP_URL"),
    "k_ce_overrides": (Place.NOWHERE, "a SinkBinding gives it, where somebody has one"),
    "function": (Place.NOWHERE, "the manifest's arguments name it; OpenFaaS has no arguments"),
    "secrets_dir": (Place.NOWHERE, "secrets come as variables; OpenFaaS and Docker mount them as files"),
    "api_open": (Place.NOWHERE, "for a laptop alone"),
    "sandbox": (Place.NOWHERE, "`carillon up` reads it; a function is told where its provider is"),
    "data_dir": (Place.NOWHERE, "for the embedded Postgres"),
    "workflows_file": (Place.NOWHERE, "a file has to be mounted first: docs/deploying-on-knative.md"),
    "twilio_base_url": (Place.NOWHERE, "the provider's own, but for the sandbox"),
    "fcm_base_url": (Place.NOWHERE, "the provider's own, but for the sandbox"),
    "onesignal_base_url": (Place.NOWHERE, "the provider's own, but for the sandbox"),
    "telegram_base_url": (Place.NOWHERE, "the provider's own, but for the sandbox"),
}
"""What is said neither in the secret nor in settings.env, and why."""


def place_of(name: str) -> Place:
    """Tell where a setting is said on a cluster."""
    if name in SECRETS:
        return Place.SECRET
    return ELSEWHERE[name][0] if name in ELSEWHERE else Place.SETTINGS


def said_in(place: Place) -> frozenset[str]:
    """List the settings that are said in a place, as the environment has them."""
    return frozenset(name.upper() for name in Settings.model_fields if place_of(name) is place)
