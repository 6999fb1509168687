"""The settings of a client: where the server is, and the key to show there.

They are no part of the server's list (`shared/settings.py`): they stand on another machine, and all begin with
CARILLON_.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ClientSettings(BaseSettings):
    """The list. The name in the environment is the field's, in capitals, behind CARILLON_."""

    model_config = SettingsConfigDict(
        env_prefix="CARILLON_", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    url: str = Field("http://localhost:8000", description="Where the server is.")
    api_key: SecretStr | None = Field(None, description="The key to show there; none where the API is open.")
    key_file: Path | None = Field(None, description="A file with that key, if it is not in the environment.")

    @field_validator("url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            is_one = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            is_one = False
        if not is_one or parts.query or parts.fragment:
            raise ValueError("must be http://host:8000 or https://...")
        if parts.username or parts.password:  # it would stand in every message about the address
            raise ValueError("must not hold a user or a password: the key goes into CARILLON_API_KEY")
        return value.rstrip("/")

    @field_validator("api_key")
    @classmethod
    def _a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not is_key(value.get_secret_value().strip()):
            raise ValueError("must be printable, without blanks")
        return value


def is_key(text: str) -> bool:
    """Tell whether a text can be a key: it goes into a header."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
