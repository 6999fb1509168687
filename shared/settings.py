"""Every setting, read from the environment in one place. Nobody else looks there."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import SettingMissing
from shared.events import TENANT


class Settings(BaseSettings):
    """The list of settings. The name in the environment is the field's, in capitals."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr | None = Field(None, description="Postgres; without it the embedded one is started.")
    database_pool_max: int = Field(10, ge=2, le=200, description="Connections that one process may hold.")
    amqp_url: SecretStr | None = Field(None, description="RabbitMQ; without it messages stay in the process.")

    smtp_url: SecretStr | None = Field(
        None, description="smtp://user:password@host:587 (STARTTLS when offered), smtps:// for TLS from the start."
    )
    smtp_connections: int = Field(50, ge=1, le=200, description="Connections to the mail server at most, per process.")
    sandbox: bool = Field(default=False, description="Keep every mail in the sandbox when SMTP_URL is not set.")
    email_from: str = Field("Carillon <carillon@localhost>", description="The sender of every e-mail.")

    host: str = Field("127.0.0.1", description="The address that HTTP listens on.")
    port: int = Field(8000, ge=0, le=65535, description="The port that HTTP listens on.")
    api_keys: SecretStr | None = Field(None, description="tenant:key pairs, separated by commas.")
    api_open: bool = Field(default=False, description="Serve without keys on an address other than loopback.")
    intake_backlog_max: int = Field(100_000, ge=1, description="Backlog beyond which the intake says 503.")

    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    data_dir: str = Field(".carillon", description="Where the embedded Postgres keeps its files.")

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
        return value.upper()

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

    def keys(self) -> dict[str, str]:
        """Map each key to its tenant."""
        pairs = self.api_keys.get_secret_value().split(",") if self.api_keys else []
        return {key: tenant for tenant, _, key in (pair.strip().partition(":") for pair in pairs)}

    def api_is_open(self) -> bool:
        """Decide whether calls need no key.

        Raises:
            SettingMissing: there are no keys, and the address is not loopback.
        """
        if self.api_keys:
            return False
        if self.api_open or is_loopback(self.host):
            return True
        raise SettingMissing(f"HOST is {self.host}: set API_KEYS=tenant:key, or API_OPEN=true")


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
