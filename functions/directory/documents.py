"""What clients say about a user."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.addresses import Chat, Email, Phone
from shared.statuses import PushService

Name = Annotated[str, StringConstraints(strict=True, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Locale = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
Platform = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9-]{0,32}$")]


class UserDocument(BaseModel):
    """A user as posted: what is left out is unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = ""
    email: Email | None = Field(default=None, repr=False)
    phone: Phone | None = Field(default=None, repr=False)
    telegram: Chat | None = Field(default=None, repr=False)
    locale: Locale = "en"


class DeviceDocument(BaseModel):
    """A device as registered: who gave its token, and what it runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: PushService
    platform: Platform = ""
