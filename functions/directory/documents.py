"""What clients say about a user."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(strict=True, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
# One address, never a second recipient and never a header: no space, bracket, comma or control character.
Email = Annotated[
    str, StringConstraints(strict=True, max_length=254, pattern=r"^[^\s@<>(),;:\"\\\[\]]+@[^\s@<>(),;:\"\\\[\]]+$")
]
Phone = Annotated[str, StringConstraints(strict=True, pattern=r"^\+[1-9][0-9]{6,14}$")]  # E.164
Chat = Annotated[str, StringConstraints(strict=True, pattern=r"^-?[0-9]{1,20}$")]
Locale = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]


class UserDocument(BaseModel):
    """A user as posted: what is left out is unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = ""
    email: Email | None = Field(default=None, repr=False)
    phone: Phone | None = Field(default=None, repr=False)
    telegram: Chat | None = Field(default=None, repr=False)
    locale: Locale = "en"
