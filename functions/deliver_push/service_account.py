"""Firebase's service account: who we are to FCM."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import SettingMissing

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
LIFETIME_SECONDS = 3600
"""The longest that Google allows."""

NEEDED = ("project_id", "client_email", "private_key", "token_uri")


class KeyUnreadable(Exception):
    """The private key of the account is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """The parts of the account's file that count."""

    project_id: str
    client_email: str
    private_key: str = field(repr=False)
    token_uri: str
    private_key_id: str | None = None

    @classmethod
    def read(cls, setting: str) -> ServiceAccount:
        """Read the account's JSON, or the file that holds it.

        Raises:
            SettingMissing: it is neither. The message never quotes it.
        """
        text = setting if setting.lstrip().startswith("{") else _file(setting)
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise SettingMissing("FCM_SERVICE_ACCOUNT must be the service account's JSON, or a path to it")
        return cls(**{name: _text(document, name) for name in NEEDED}, private_key_id=document.get("private_key_id"))

    def signer(self) -> Callable[[Mapping[str, object]], bytes]:
        """Make what signs our claims. Loads a heavy library and reads the key: not in the event loop.

        Raises:
            KeyUnreadable: the key is none.
        """
        from google.auth import crypt, jwt

        try:
            signer = crypt.RSASigner.from_string(self.private_key, self.private_key_id)  # type: ignore[no-untyped-call]
        except ValueError as broken:
            raise KeyUnreadable from broken
        return lambda claims: bytes(jwt.encode(signer, claims))  # type: ignore[no-untyped-call]

    def claims(self, now: float) -> dict[str, object]:
        """Write what we claim when we ask for an access token."""
        issued = int(now)
        return {
            "iss": self.client_email,
            "scope": SCOPE,
            "aud": self.token_uri,
            "iat": issued,
            "exp": issued + LIFETIME_SECONDS,
        }


def _text(document: Mapping[str, object], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise SettingMissing(f"FCM_SERVICE_ACCOUNT has no {name}: is it the file of a service account?")
    return value


def _file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise SettingMissing("FCM_SERVICE_ACCOUNT names a file that cannot be read") from None
