"""Every setting, read from the environment in one place. Nobody else looks there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from shared.errors import SettingMissing
from shared.events import TENANT
from shared.overrides import read_overrides
from shared.rates import parse_rate
from shared.statuses import Channel, PushService

EVERY_OTHER_TENANT = "*"
MIN_SECRET_BYTES = 32
"""Of HS256 (RFC 7518, 3.2): a shorter secret is found by trying."""

_OWN_CLAIMS = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope"})


class SecretFiles(PydanticBaseSettingsSource):
    """Files in SECRETS_DIR, one for a setting: DATABASE_URL or database-url, as containers are given secrets."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Read one; None if it has no file."""
        folder = Path(self.current_state["secrets_dir"])
        for name in (field_name.upper(), field_name.replace("_", "-"), field_name):
            if (folder / name).is_file():
                return (folder / name).read_text(encoding="utf-8").strip() or None, field_name, False
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Read all that are there.

        Raises:
            SettingMissing: there is no such folder.
        """
        folder = self.current_state.get("secrets_dir")
        if not folder:
            return {}
        if not Path(folder).is_dir():
            raise SettingMissing(f"SECRETS_DIR is {folder}, which is no folder here")
        read = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in read.items() if value is not None}


class Settings(BaseSettings):
    """The list of settings. The name in the environment is the field's, in capitals."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr | None = Field(None, description="Postgres; without it the embedded one is started.")
    database_pool_max: int = Field(10, ge=2, le=200, description="Connections that one process may hold.")
    amqp_url: SecretStr | None = Field(None, description="RabbitMQ; without it messages stay in the process.")
    k_sink: str | None = Field(
        None, description="Where messages go over HTTP instead of AMQP_URL: the ingress of a Knative Broker."
    )
    k_ce_overrides: str | None = Field(
        None, description='What a SinkBinding adds to each message: {"extensions": {"name": "value"}}.'
    )

    smtp_url: SecretStr | None = Field(
        None,
        description="smtp://user:password@host:587 (STARTTLS when offered), smtps:// for TLS from the start. Several, "
        "separated by spaces, share the mails: ?weight=3&name=backup.",
    )
    smtp_connections: int = Field(50, ge=1, le=200, description="Connections to the mail server at most, per process.")
    email_from: str = Field("Carillon <carillon@localhost>", description="The sender of every e-mail.")

    twilio_account_sid: str | None = Field(None, description="The Twilio account, AC...: SMS and WhatsApp.")
    twilio_auth_token: SecretStr | None = Field(None, description="Its token; the signature of callbacks, too.")
    twilio_base_url: str = Field("https://api.twilio.com", description="Where Twilio's API is.")
    twilio_sms_from: str | None = Field(None, description="The sender of SMS: +15551234567, or a service, MG...")
    twilio_whatsapp_from: str | None = Field(None, description="The sender on WhatsApp: +15551234567, or MG...")
    fcm_service_account: SecretStr | None = Field(None, description="Firebase's service account: its JSON, or a path.")
    fcm_base_url: str = Field("https://fcm.googleapis.com", description="Where FCM's HTTP v1 API is.")
    onesignal_app_id: str | None = Field(None, description="The OneSignal app.")
    onesignal_api_key: SecretStr | None = Field(None, description="Its API key.")
    onesignal_base_url: str = Field("https://api.onesignal.com", description="Where OneSignal's API is.")
    push_providers: str = Field(
        "*:fcm+onesignal", description="Whose devices a tenant's push messages reach: acme:fcm,*:fcm+onesignal."
    )
    telegram_bot_token: SecretStr | None = Field(None, description="The bot that writes on Telegram.")
    telegram_base_url: str = Field("https://api.telegram.org", description="Where the Bot API is.")

    workflows_file: str | None = Field(
        None, description="A YAML file of workflows that are put in place at every start: docs/workflows.md."
    )
    channels: str = Field(
        "email,whatsapp,sms,push,telegram,websocket", description="The channels that this installation sends on."
    )
    sandbox: bool = Field(
        default=False, description="Use the sandbox for every provider that is not set, as the embedded default does."
    )
    public_url: str | None = Field(
        None, description="This installation's address from outside: for callbacks and unsubscribing."
    )

    host: str = Field("127.0.0.1", description="The address that HTTP listens on.")
    port: int = Field(8000, ge=0, le=65535, description="The port that HTTP listens on.")
    api_keys: SecretStr | None = Field(None, description="tenant:key pairs, separated by commas.")
    jwt_secret: SecretStr | None = Field(
        None,
        description="Signs people's tokens (HS256), 32 bytes or more; without it the installation makes its own.",
    )
    jwt_jwks_url: str | None = Field(
        None, description="Where the public keys (RS256, ES256) of whoever signs people's tokens are."
    )
    jwt_issuer: str | None = Field(None, description="The issuer (iss) that a token must name.")
    jwt_audience: str | None = Field(None, description="The audience (aud) that a token must name.")
    jwt_tenant_claim: str = Field("tenant", min_length=1, description="The claim of a token that names its tenant.")
    rate_limit_per_key: str = Field(
        "off", description="How often a key may call, if it has no limit of its own: 100/s."
    )
    rate_limit_per_user: str = Field("20/s", description="How often a person may call with a token; or off.")
    redis_url: SecretStr | None = Field(
        None, description="Shares limits over all replicas; without it each has its own."
    )
    api_open: bool = Field(default=False, description="Serve without keys on an address other than loopback.")
    intake_backlog_max: int = Field(100_000, ge=1, description="Backlog beyond which the intake says 503.")

    otel_exporter_otlp_endpoint: str | None = Field(
        None, description="Where traces go, OTLP over HTTP: http://collector:4318. Needs carillon[tracing]."
    )
    otel_exporter_otlp_headers: SecretStr | None = Field(
        None, description="What the collector wants to be shown: name=value, separated by commas."
    )
    otel_service_name: str = Field("carillon", description="Under which name the spans of this process are found.")
    otel_traces_sampler_arg: float = Field(
        1.0, ge=0, le=1, description="The share of traces that is kept of those that begin here."
    )
    otel_sdk_disabled: bool = Field(default=False, description="No traces, whatever else is set.")

    function: str | None = Field(None, description="Which function `carillon serve` runs when it is not told by name.")
    secrets_dir: str | None = Field(
        None, description="A folder with a file for each setting that is not in the environment, named like it."
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    data_dir: str = Field(".carillon", description="Where the embedded Postgres keeps its files.")

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **named: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment say what it says, and files what it leaves out."""
        return named["init_settings"], named["env_settings"], SecretFiles(settings_cls)

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
        return value.upper()

    @field_validator("channels")
    @classmethod
    def _known_channels(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",")]
        unknown = [name for name in names if name not in set(Channel)]
        if unknown:
            raise ValueError(f"there is no channel {unknown[0]!r}: {', '.join(Channel)}")
        return ",".join(names)

    @field_validator("push_providers")
    @classmethod
    def _known_push_services(cls, value: str) -> str:
        said = [pair.strip().partition(":") for pair in value.split(",")]
        for tenant, _, services in said:
            if tenant != EVERY_OTHER_TENANT and not re.fullmatch(TENANT, tenant):
                raise ValueError("must be tenant:fcm, tenant:onesignal or tenant:fcm+onesignal, * for all others")
            if not set(services.split("+")) <= set(PushService):
                raise ValueError(f"there is no provider of push messages but {' and '.join(PushService)}")
        if len({tenant for tenant, _, _ in said}) < len(said):
            raise ValueError("a tenant occurs once")
        return value

    @field_validator("api_keys")
    @classmethod
    def _pairs(cls, value: SecretStr | None) -> SecretStr | None:
        known = set()
        for pair in value.get_secret_value().split(",") if value else []:
            tenant, _, key = pair.strip().partition(":")
            if not tenant or not key:
                raise ValueError("must be tenant:key pairs, separated by commas")
            if not re.fullmatch(TENANT, tenant):  # no event could be written in its name
                raise ValueError("a tenant's name has a-z, 0-9, - and _, and begins with a letter or digit")
            if key in known:
                raise ValueError("a key belongs to one tenant")
            known.add(key)
        return value

    @field_validator("rate_limit_per_key", "rate_limit_per_user")
    @classmethod
    def _known_rates(cls, value: str) -> str:
        parse_rate(value)
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis_address(cls, value: SecretStr | None) -> SecretStr | None:
        found = urlsplit(value.get_secret_value() if value else "unix:///x")
        if found.scheme not in {"redis", "rediss", "unix"} or not (found.hostname or found.path):
            raise ValueError("must be redis://:password@host:6379/0, rediss:// or unix://")
        return value

    @field_validator("k_sink")
    @classmethod
    def _sink_address(cls, value: str | None) -> str | None:
        found = urlsplit(value or "http://localhost")
        if found.scheme not in {"http", "https"} or not found.hostname:
            raise ValueError("must be http://host/path or https://")
        return value

    @field_validator("k_ce_overrides")
    @classmethod
    def _known_overrides(cls, value: str | None) -> str | None:
        read_overrides(value)
        return value

    @field_validator("otel_exporter_otlp_endpoint")
    @classmethod
    def _collector(cls, value: str | None) -> str | None:
        found = urlsplit(value or "http://localhost")
        if found.scheme not in {"http", "https"} or not found.hostname:
            raise ValueError("must be http://host:4318 or https://")
        return value

    @field_validator("jwt_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value and len(value.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"must have {MIN_SECRET_BYTES} bytes or more")
        return value

    @field_validator("jwt_jwks_url")
    @classmethod
    def _out_of_reach(cls, value: str | None) -> str | None:
        found = urlsplit(value or "https://localhost")
        if found.scheme != "https" and not (found.scheme == "http" and is_loopback(found.hostname or "")):
            raise ValueError("must be https://, so that nobody on the way can change a key")
        return value

    @field_validator("jwt_tenant_claim")
    @classmethod
    def _free_claim(cls, value: str) -> str:
        if value in _OWN_CLAIMS:
            raise ValueError("must be a claim of its own")
        return value

    @model_validator(mode="after")
    def _one_signer(self) -> Settings:
        if self.jwt_secret and self.jwt_jwks_url:
            raise ValueError("JWT_SECRET and JWT_JWKS_URL are two ways to sign tokens: set one")
        if self.jwt_jwks_url and not (self.jwt_issuer and self.jwt_audience):
            raise ValueError("JWT_JWKS_URL needs JWT_ISSUER and JWT_AUDIENCE: its keys may sign for others, too")
        return self

    @model_validator(mode="after")
    def _one_way_out(self) -> Settings:
        if self.amqp_url and self.k_sink:
            raise ValueError("AMQP_URL and K_SINK are two ways for messages: set one")
        return self

    def extensions(self) -> Mapping[str, str]:
        """Map what a SinkBinding adds to each message, by name."""
        return read_overrides(self.k_ce_overrides)

    def served(self) -> frozenset[Channel]:
        """List the channels that this installation sends on."""
        return _channels(self.channels)

    def push_services(self) -> Mapping[str, frozenset[PushService]]:
        """Map each tenant to whose devices its push messages reach; `*` stands for all others."""
        return _push_services(self.push_providers)

    def keys(self) -> dict[str, str]:
        """Map each key to its tenant."""
        pairs = self.api_keys.get_secret_value().split(",") if self.api_keys else []
        return {key: tenant for tenant, _, key in (pair.strip().partition(":") for pair in pairs)}

    def api_is_open(self) -> bool:
        """Decide whether calls need no key.

        Raises:
            SettingMissing: there are no keys and no signer of tokens, and the address is not loopback.
        """
        if self.api_keys or self.jwt_secret or self.jwt_jwks_url:
            return False
        if self.api_open or is_loopback(self.host):
            return True
        raise SettingMissing(
            f"HOST is {self.host}: set API_KEYS=tenant:key, JWT_SECRET or JWT_JWKS_URL, or API_OPEN=true"
        )


@lru_cache(maxsize=10)
def _channels(names: str) -> frozenset[Channel]:
    return frozenset(Channel(name) for name in names.split(","))


@lru_cache(maxsize=10)
def _push_services(pairs: str) -> Mapping[str, frozenset[PushService]]:
    said = [pair.strip().partition(":") for pair in pairs.split(",")]
    found = {tenant: frozenset(PushService(name) for name in names.split("+")) for tenant, _, names in said}
    return MappingProxyType(found)


def is_loopback(host: str) -> bool:
    """Tell whether an address is reachable from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Read the environment once."""
    return Settings()
